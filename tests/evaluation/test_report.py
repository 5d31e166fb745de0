import base64
import io
import json
import re

import numpy as np
import pytest
from evaluation.report_contents import blocks, contents_of, score, write_blocks
from PIL import Image
from refusals import refuse

from mavos_jax.evaluation.report import write_report
from mavos_jax.evaluation.report.overview import find_paper_row
from mavos_jax.evaluation.report.pictures import choose_frames, share_budget, worst_frame

BLOCK = re.compile(r'<script type="application/json" id="([\w-]+)">(.*?)</script>')


@pytest.fixture
def written(tmp_path):
    """Writes a report; returns the JSON of its blocks by their ids."""

    def write(contents):
        write_report(tmp_path / "new/report.html", contents)
        page = (tmp_path / "new/report.html").read_text()
        return {name: json.loads(text) for name, text in BLOCK.findall(page)}

    return write


def decode(text):
    with Image.open(io.BytesIO(base64.b64decode(text))) as image:
        return image.format, np.asarray(image.convert("RGB"))


@pytest.mark.parametrize(
    ("counts", "budget"),
    [([70, 70, 70], 60), ([3, 100, 100], 50), ([5, 6], 100), ([40] * 500, 100), ([], 7), ([4], 0)],
)
def test_the_budget_is_spent_whole_and_evenly(counts, budget):
    shares = share_budget(counts, budget)
    assert sum(shares) == min(budget, sum(counts))
    assert all(share <= count for share, count in zip(shares, counts, strict=True))
    limited = [share for share, count in zip(shares, counts, strict=True) if share < count]
    assert not limited or max(shares) - min(limited) <= 1


def test_frames_are_the_telling_ones_and_evenly_spread_others(tmp_path):
    results = score(tmp_path, write_blocks(tmp_path, "a")).objects
    later = [r._replace(frames=tuple(20 * t for t in r.frames)) for r in results]
    chosen = choose_frames(range(200), later, range(200), 20)
    worst = {t for r in later for t in r.frames[:1]}  # the frames with the lowest J + F come first
    assert {60, 100} | worst <= set(chosen)
    assert len(chosen) == 20
    assert list(chosen) == sorted(chosen)
    assert {0, 199} <= set(chosen)
    assert np.diff(chosen).max() <= 2 * 200 / 15
    assert choose_frames(range(200), later, range(200), 1) == (20,)
    assert choose_frames(range(7), later, (), 7) == tuple(range(7))
    assert choose_frames(range(7), later, (), 0) == ()
    labelled = {0, 130, 411, 699}
    assert labelled <= set(choose_frames(range(700), (), labelled, 10))


def test_the_worst_frame_is_that_of_the_lowest_mean_over_objects(tmp_path):
    first, second = score(tmp_path, write_blocks(tmp_path, "a", 6)).objects
    first = first._replace(region=(0.5, 0.1, 0.6, np.nan), boundary=(0.5, 0.1, 0.6, 0.0))
    second = second._replace(region=(0.1, 0.9, 0.6, 0.3), boundary=(0.1, 0.9, 0.6, 0.3))
    assert first.frames == (1, 2, 3, 4)
    assert worst_frame([first, second]) == (1, pytest.approx(0.3))
    assert worst_frame([first]) == (2, pytest.approx(0.1))
    assert worst_frame([second]) == (1, pytest.approx(0.1))
    assert worst_frame([]) is None
    assert choose_frames(range(1, 5), [first, second], range(1, 5), 1) == (1,)


@pytest.mark.parametrize(
    ("network", "dataset", "split", "expected"),
    [
        ("mavos", "davis2017", "val", ("MAVOS", 84.4, 39.2)),
        ("R50-MAVOS (released)", "lvos1", "valid", ("R50-MAVOS", 63.3, 37.1)),
        ("swinb_mavos_main", "long_time_video", "val", ("SwinB-MAVOS", 90.3, 22.0)),
        ("deaot_l", "lvos1", "val", ("DeAOT-L", 61.1, 5.0)),
        ("DeAOT-L-2F", "lvos1", "val", ("DeAOT-L-2F", 57.2, 39.1)),
        ("mavosaurus", "davis2017", "val", None),
        ("mavos_pre", "davis2017", "val", None),
        ("mavos", "davis2017", "test-dev", None),
    ],
)
def test_rows_of_the_paper(network, dataset, split, expected):
    row = find_paper_row(network, dataset, split)
    assert (row and (row.model, row.mean, row.fps)) == expected


def test_pictures_hold_the_frame_and_the_ids(tmp_path, written):
    contents = contents_of(tmp_path, [write_blocks(tmp_path, "a")], width=20)
    sequence = written(contents)["sequence-0"]
    assert [picture["frame"] for picture in sequence["pictures"]] == list(range(8))
    picture = sequence["pictures"][6]
    kind, image = decode(picture["image"])
    assert kind == "JPEG"
    assert image.shape == (12, 20, 3)
    assert np.abs(image.astype(int) - (60, 120, 200)).max() <= 3
    for name, ids in zip(("truth", "prediction"), blocks(6), strict=True):
        kind, values = decode(picture[name])
        assert kind == "PNG"
        np.testing.assert_array_equal(values, np.repeat(ids[::2, ::2, None], 3, axis=2))
    assert [o["colour"] for o in sequence["objects"]] == [[128, 0, 0], [0, 128, 0]]
    assert sequence["objects"][1]["changes"] == [[3, False], [5, True]]


def test_the_table_holds_means_over_objects_in_percent(tmp_path, written):
    contents = contents_of(tmp_path, [write_blocks(tmp_path, "a")])
    data = written(contents)["overview"]
    assert contents.scores is not None
    regions = [100 * r.scores.region.mean for r in contents.scores.objects]
    (row,) = data["sequences"]
    assert row["J"] == pytest.approx(np.mean(regions), abs=0.006)
    assert row["J&F"] == pytest.approx((row["J"] + row["F"]) / 2, abs=0.011)
    headline = data["summary"][0]
    assert (headline["name"], headline["paper"]) == ("J&F-Mean", 85.6)
    assert data["summary"][-1] | {"value": 2.6} == data["summary"][-1]
    assert ["weights.file", "weights.npz"] in data["provenance"]


def test_pictures_are_shared_by_finished_frames_with_and_without_truth(tmp_path, written):
    sequences = [write_blocks(tmp_path, name, 9, labelled=False) for name in "abc"]
    for name, indices in (("b", (2, 5)), ("c", range(9))):
        for index in indices:
            (tmp_path / f"masks/{name}/{index:05d}.png").unlink()
    page = written(contents_of(tmp_path, sequences, max_frames=12, network="tiny", records=[]))
    data, rows = page["overview"], page["overview"]["sequences"]
    assert (data["rule"], data["paper"], data["summary"]) == (None, None, [])
    assert (data["num_shown"], data["num_frames"]) == (12, 27)
    assert [row["has_truth"] for row in rows] == [False] * 3
    assert [row["num_finished"] for row in rows] == [9, 7, 0]
    assert [row["num_shown"] for row in rows] == [6, 6, 0]
    pictures = [page[f"sequence-{i}"]["pictures"] for i in range(3)]
    assert [len(of_one) for of_one in pictures] == [6, 6, 0]
    assert {picture["frame"] for picture in pictures[1]} < {0, 1, 3, 4, 6, 7, 8}
    assert all(picture["truth"] is None for of_one in pictures for picture in of_one)


def test_a_damaged_mask_is_named_and_no_page_is_left(tmp_path):
    contents = contents_of(tmp_path, [write_blocks(tmp_path, "a")])
    path = tmp_path / "masks/a/00004.png"
    Image.new("RGB", (40, 24)).save(path)
    refuse(f"^{re.escape(str(path))}: expected", write_report, tmp_path / "report.html", contents)
    assert not list(tmp_path.glob("*report.html*"))
