import base64
import dataclasses
import io
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from evaluation.report_contents import blocks, contents_of, score, write_blocks
from PIL import Image
from refusals import refuse

from mavos_jax.datasets.sequences import GivenMask, SequenceFiles
from mavos_jax.evaluation.report import write_report
from mavos_jax.evaluation.report.overview import find_paper_row
from mavos_jax.evaluation.report.pictures import choose_frames, share_budget, worst_frame


class Blocks(HTMLParser):
    """The JSON of a page by the ids of its blocks, its title, and the addresses that it names."""

    def __init__(self, path):
        super().__init__()
        self.json, self.addresses, self.title, self._open = {}, [], "", ("", None)
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        named = dict(attrs)
        self._open = (tag, named.get("id"))
        self.addresses += [named[key] for key in ("src", "href") if key in named]

    def handle_endtag(self, tag):
        self._open = ("", None)

    def handle_data(self, data):
        tag, name = self._open
        if tag == "title":
            self.title += data
        if tag == "script" and name:
            self.json[name] = json.loads(data)


@pytest.fixture
def written(tmp_path):
    def write(contents):
        write_report(tmp_path / "new/report.html", contents)
        return Blocks(tmp_path / "new/report.html")

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
    results = score(tmp_path, write_blocks(tmp_path, "a"))
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
    first, second = score(tmp_path, write_blocks(tmp_path, "a", 6))
    first = first._replace(region=(0.5, 0.1, 0.6, np.nan), boundary=(0.5, 0.1, 0.6, 0.0))
    second = second._replace(region=(0.1, 0.9, 0.6, 0.3), boundary=(0.1, 0.9, 0.6, 0.3))
    assert first.frames == (1, 2, 3, 4)
    assert worst_frame([first, second]) == (1, pytest.approx(0.3))
    assert worst_frame([first]) == (2, pytest.approx(0.1))
    assert worst_frame([second]) == (1, pytest.approx(0.1))
    assert worst_frame([]) is None
    chosen = choose_frames(range(1, 5), [first, second], range(1, 5), 1)
    assert chosen == (1,)


@pytest.mark.parametrize(
    ("network", "dataset", "split", "expected"),
    [
        ("mavos", "davis2017", "val", ("MAVOS", 84.4, 39.2)),
        ("R50-MAVOS (released)", "lvos1", "valid", ("R50-MAVOS", 63.3, 37.1)),
        ("swinb_mavos_main", "long_time_video", "val", ("SwinB-MAVOS", 90.3, 22.0)),
        ("deaot_l", "lvos1", "val", ("DeAOT-L", 61.1, 5.0)),
        ("DeAOT-L-2F", "lvos1", "val", ("DeAOT-L-2F", 57.2, 39.1)),
        ("tiny", "davis2017", "val", None),
        ("mavosaurus", "davis2017", "val", None),
        ("mavos_pre", "davis2017", "val", None),
        ("mavos_cross_attention", "davis2017", "val", None),
        ("mavos", "davis2017", "test-dev", None),
        ("mavos", "davis2016", "val", None),
        ("mavos", "lvos2", "val", None),
    ],
)
def test_rows_of_the_paper(network, dataset, split, expected):
    row = find_paper_row(network, dataset, split)
    assert (row and (row.model, row.mean, row.fps)) == expected


def test_pictures_hold_the_frame_and_the_ids(tmp_path, written):
    contents = contents_of(tmp_path, [write_blocks(tmp_path, "a")], width=20)
    sequence = written(contents).json["sequence-0"]
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
    data = written(contents).json["overview"]
    assert contents.scores is not None
    regions = [100 * r.scores.region.mean for r in contents.scores.objects]
    (row,) = data["sequences"]
    assert row["J"] == pytest.approx(np.mean(regions), abs=0.006)
    assert row["J&F"] == pytest.approx((row["J"] + row["F"]) / 2, abs=0.011)
    headline = data["summary"][0]
    assert (headline["name"], headline["paper"]) == ("J&F-Mean", 85.6)
    assert data["summary"][-1] | {"value": 2.6} == data["summary"][-1]
    assert ["weights.file", "weights.npz"] in data["provenance"]
    data = written(dataclasses.replace(contents, network="tiny")).json["overview"]
    assert data["paper"] is None
    assert [row["paper"] for row in data["summary"]] == [None] * 8


def test_the_number_of_pictures_is_bounded(tmp_path, written):
    sequences = [write_blocks(tmp_path, name, 9) for name in "abc"]
    page = written(contents_of(tmp_path, sequences, max_frames=10))
    shown = [len(page.json[f"sequence-{i}"]["pictures"]) for i in range(3)]
    assert sorted(shown) == [3, 3, 4]
    assert (page.json["overview"]["num_shown"], page.json["overview"]["num_frames"]) == (10, 27)
    assert [row["num_shown"] for row in page.json["overview"]["sequences"]] == shown


def test_names_cannot_leave_their_place(tmp_path, written):
    name = "<script>alert(1)<!-- sequences -->{{style}} & 'x'"
    contents = contents_of(
        tmp_path,
        [write_blocks(tmp_path, name)],
        title="</title><b>{{script}}",
        provenance={"</script><img src=x>": "</script>"},
    )
    page = written(contents)
    assert page.title == "</title><b>{{script}}"
    assert page.json["overview"]["sequences"][0]["name"] == name
    assert page.json["overview"]["provenance"] == [["</script><img src=x>", "</script>"]]
    assert page.addresses == ["data:,"]
    assert set(page.json) == {"overview", "sequence-0"}


def test_unlabelled_and_unfinished_sequences(tmp_path, written):
    hidden = write_blocks(tmp_path, "hidden", labelled=False)
    partial = write_blocks(tmp_path, "partial", labelled=False)
    for index in (2, 5):
        (tmp_path / "masks" / "partial" / f"{index:05d}.png").unlink()
    page = written(contents_of(tmp_path, [hidden, partial]))
    rows = page.json["overview"]["sequences"]
    assert page.json["overview"]["rule"] is None
    assert [row["has_truth"] for row in rows] == [False, False]
    assert [row["num_finished"] for row in rows] == [8, 6]
    pictures = page.json["sequence-1"]["pictures"]
    assert [picture["frame"] for picture in pictures] == [0, 1, 3, 4, 6, 7]
    assert all(picture["truth"] is None for picture in pictures)


def test_five_hundred_sequences_of_which_none_is_finished(tmp_path, written):
    frames = tuple(tmp_path / f"{index:05d}.jpg" for index in range(40))
    one = SequenceFiles("0", frames, {0: GivenMask(tmp_path / "0.png")}, {}, tuple(range(40)))
    sequences = [dataclasses.replace(one, name=str(number)) for number in range(500)]
    contents = contents_of(tmp_path, sequences, network="tiny", records=[])
    data = written(contents).json["overview"]
    assert len(data["sequences"]) == 500
    assert (data["num_shown"], data["num_frames"]) == (0, 500 * 40)
    assert (data["paper"], data["summary"]) == (None, [])
    assert (tmp_path / "new/report.html").stat().st_size < 300_000


@pytest.mark.parametrize("damage", ["text", "colour"])
def test_a_damaged_mask_is_named_and_no_page_is_left(tmp_path, damage):
    contents = contents_of(tmp_path, [write_blocks(tmp_path, "a")])
    path = tmp_path / "masks/a/00004.png"
    if damage == "text":
        path.write_bytes(b"no picture")
    else:
        Image.new("RGB", (40, 24)).save(path)
    refuse(f"^{re.escape(str(path))}: expected", write_report, tmp_path / "report.html", contents)
    assert not list(tmp_path.glob("*report.html*"))
