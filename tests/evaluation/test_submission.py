"""Zips for servers: what is in them, and what the check finds in others."""

import dataclasses
import io
import re
import zipfile

import numpy as np
import pytest
from benchmark_trees import write_benchmark_tree
from evaluation.scored_trees import repeat_given
from PIL import Image
from refusals import refuse

from mavos_jax.datasets import BENCHMARKS, BenchmarkName, open_benchmark
from mavos_jax.evaluation.submission import check_submission, write_submission


def open_tree(root, dataset: BenchmarkName = "youtube_vos2019", **settings):
    split = {"davis2017": "test-dev", "lvos1": "test"}.get(dataset)
    return open_benchmark(write_benchmark_tree(root, dataset, split=split, **settings))


def pack(root, *dataset):
    benchmark = open_tree(root / "set", *dataset)
    results = repeat_given(benchmark, root / "results")
    return benchmark, results, write_submission(benchmark, results, root / "right.zip").path


@pytest.fixture
def packed(tmp_path):
    return pack(tmp_path)


def check_changed(packed, change):
    """The lines for a zip with each entry as ``change(name, data)`` lists it, without its path."""
    benchmark, _, path = packed
    changed = path.with_name("changed.zip")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(changed, "w") as new:
        for name in old.namelist():
            for entry in change(name, old.read(name)):
                new.writestr(*entry)
    lines = check_submission(benchmark, changed)
    assert all(line.startswith(str(changed)) for line in lines)
    return [line.removeprefix(str(changed)).removeprefix("/") for line in lines]


def replace(name, save):
    """A change of one mask, whose image ``save(image, file)`` writes."""

    def change(entry, data):
        if entry != name:
            return [(entry, data)]
        file = io.BytesIO()
        save(Image.open(io.BytesIO(data)), file)
        return [(entry, file.getvalue())]

    return change


@pytest.mark.parametrize("dataset", BENCHMARKS)
def test_every_set_is_nested_as_its_server_wants(tmp_path, dataset):
    benchmark = open_tree(tmp_path / "set", dataset)
    results = repeat_given(benchmark, tmp_path / "run/masks")
    (results / "other/0.png").parent.mkdir()
    (results / "other/0.png").touch()
    summary = write_submission(benchmark, results.parent, tmp_path / "out/x.zip")
    with zipfile.ZipFile(summary.path) as archive:
        names, infos = archive.namelist(), archive.infolist()
        mask = results / names[-1].removeprefix("Annotations/")
        assert archive.read(names[-1]) == mask.read_bytes()
    nesting = "Annotations/" if dataset.startswith(("youtube", "lvos")) else ""
    assert names == [
        f"{nesting}{sequence.name}/{sequence.frame_name(index)}.png"
        for sequence in benchmark.sequences
        for index in sequence.saved
    ]
    assert {info.compress_type for info in infos} == {zipfile.ZIP_STORED}
    assert (summary.num_sequences, summary.num_frames) == (len(benchmark.sequences), len(names))
    assert summary.num_bytes == summary.path.stat().st_size
    assert check_submission(benchmark, summary.path) == []


def test_bytes_depend_on_the_masks_of_listed_frames_alone(packed, tmp_path):
    benchmark, results, path = packed
    whole = open_tree(tmp_path / "all", all_frames=True)
    assert len(whole.sequences[0].frames) > len(whole.sequences[0].saved)
    more = repeat_given(whole, tmp_path / "more")
    for opened, masks in ((whole, more), (benchmark, more), (whole, results)):
        write_submission(opened, masks, tmp_path / "again.zip")
        assert (tmp_path / "again.zip").read_bytes() == path.read_bytes()


def test_shrunk_frames_ask_for_small_masks(packed):
    large, _, path = packed
    lines = check_submission(dataclasses.replace(large, short_edge=24), path)
    assert len(lines) == sum(len(sequence.saved) for sequence in large.sequences)
    assert "expected 24 x 32 (height x width), found 48 x 64 (height x width)" in lines[0]


def test_wrong_masks_leave_what_was_there(packed, tmp_path):
    benchmark, results, path = packed
    before = path.read_bytes()
    (results / "bear/00004.png").unlink()
    wrong = results / "dog-2/00010.png"
    Image.open(wrong).convert("RGB").save(wrong)
    message = refuse(r"1 missing: 00004\.png", write_submission, benchmark, results, path)
    assert message.startswith(f"{results / 'bear'}: expected")
    assert f"the first of 2 problems; {path} is not written" in message
    (results / "bear").rename(results / "bears")
    refuse("all 3 sequences", write_submission, benchmark, results, path)
    assert path.read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["results", "right.zip", "set"]


@pytest.mark.parametrize(
    ("dataset", "change", "wanted", "found"),
    [
        ("youtube_vos2019", lambda name: name.removeprefix("Annotations/"), "Annotations/", ""),
        ("youtube_vos2019", lambda name: f"run/{name}", "Annotations/", "run/Annotations/"),
        ("davis2017", lambda name: f"results/{name}", "", "results/"),
    ],
)
def test_wrong_nesting_is_one_problem(tmp_path, dataset, change, wanted, found):
    (line,) = check_changed(pack(tmp_path, dataset), lambda name, data: [(change(name), data)])
    place = "<sequence>/<frame>.png"
    assert line.startswith(f": expected {wanted}{place}, found {found}{place};")


@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
def test_missing_and_additional_files_are_named(packed):
    first = "Annotations/bear/00002.png"

    def change(name, data):
        if "/dog-10/" in name or name.endswith(("bear/00004.png", "bear/00008.png")):
            return []
        more = [("Annotations/", b""), ("Annotations/.DS_Store", b""), (name, data)]
        more += [("Annotations/cat/0.png", data), ("readme.txt", b"")]
        more += [("Annotations/dog-2/00003.png", data), ("Annotations/dog-2/00004.jpg", data)]
        return [(name, data), (f"__MACOSX/{name}", b""), *(more if name == first else [])]

    faults = [
        ("", "found 11 hidden files: __MACOSX/Annotations"),
        (first, "found 2;"),
        ("Annotations/bear", "2 missing: 00004.png, 00008.png"),
        ("Annotations/dog-2", "1 saved as JPEG, which changes ids: 00004.jpg"),
        ("Annotations/dog-2", "1 more: 00003.png"),
        ("Annotations/dog-10", "each of 6 frames, found none"),
        ("Annotations/cat", "found 0.png"),
        ("", "found readme.txt"),
    ]
    for line, (place, words) in zip(check_changed(packed, change), faults, strict=True):
        assert line.startswith(f"{place}: expected")
        assert words in line


MASK = "Annotations/dog-10/00008.png"  # object 1 is there from 00002 on, and 3 from 00008


def paint(number):
    def save(image, file):
        image.paste(number, (0, 0, image.width, 2))
        image.save(file, "PNG")

    return save


@pytest.mark.parametrize(
    ("save", "problem"),
    [
        (lambda i, f: i.convert("RGB").save(f, "PNG"), "found PNG of mode RGB;"),
        (lambda i, f: Image.fromarray(np.array(i)).save(f, "PNG"), "found PNG of mode L;"),
        (lambda i, f: i.save(f, "GIF"), "found GIF of mode P;"),
        (lambda i, f: i.resize((32, 24), 0).save(f, "PNG"), "48 x 64 .*, found 24 x 32"),
        (paint(2), "ids 1, 3 of .*, found 2;"),
        (paint(255), "ids 1, 3 of .*, found 255;"),
        (lambda i, f: f.write(b"text"), "no known image format"),
        (lambda i, f: (i.save(f, "PNG"), f.truncate(f.tell() - 60)), "truncated"),
    ],
)
def test_wrong_masks_are_named(packed, save, problem):
    (line,) = check_changed(packed, replace(MASK, save))
    assert line.startswith(f"{MASK}: expected ")
    assert re.search(problem, line)


def test_ids_count_from_the_mask_that_gives_them(packed):
    early, later = (MASK.replace("00008", name) for name in ("00006", "00010"))
    (line,) = check_changed(packed, replace(early, paint(3)))
    assert line.startswith(f"{early}: expected the ids 1 of ")
    for mask in (MASK, later):
        assert check_changed(packed, replace(mask, paint(3))) == []


def test_a_mask_of_a_binary_set_may_have_any_id(tmp_path):
    assert check_changed(pack(tmp_path, "davis2016"), replace("bear/00003.png", paint(255))) == []


@pytest.mark.parametrize("name", ["", "\0x.png", "../x.png", "a\\x.png"])
def test_a_name_that_leads_out_of_the_zip_is_told(packed, name):
    def change(entry, data):
        more = zipfile.ZipInfo("placeholder")
        more.filename = name  # the constructor would mend it
        return [(entry, data), *([(more, data)] if entry == MASK else [])]

    (line,) = check_changed(packed, change)
    assert line.startswith(": expected names below the zip's top, found 1 that")
    assert repr(name) in line


def test_a_mask_of_many_bytes_is_not_decompressed(packed, monkeypatch):
    monkeypatch.setattr(zipfile.ZipFile, "read", None)
    path = packed[2].with_name("bomb.zip")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(MASK, bytes(1 << 22))
    lines = check_submission(packed[0], path)
    assert any(f"{MASK}: expected" in line and "found 4194304 bytes" in line for line in lines)


def damage_a_mask(data):
    place = data.index(MASK.encode()) + 170
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


def encrypt(data):
    changed = bytearray(data)
    for match in re.finditer(rb"PK\x01\x02", data):
        changed[match.start() + 8] |= 1
    return bytes(changed)


@pytest.mark.parametrize(
    ("change", "place", "found"),
    [
        (damage_a_mask, f"/{MASK}", "a file that cannot be"),
        (encrypt, "", "18 encrypted"),
        *((lambda data, n=n: data[:n], "", "a damaged one") for n in (0, 3, 100, 9000, -30, -100)),
    ],
)
def test_a_zip_whose_bytes_are_damaged_is_named(packed, change, place, found):
    benchmark, _, path = packed
    path.write_bytes(change(path.read_bytes()))
    (line,) = check_submission(benchmark, path)
    assert line.startswith(f"{path}{place}: expected")
    assert found in line
