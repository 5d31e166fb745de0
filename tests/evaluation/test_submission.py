"""Zips for servers: what is in them, and what the check finds in others."""

import dataclasses
import re
import zipfile

import numpy as np
import pytest
from benchmark_trees import write_benchmark_tree
from PIL import Image
from refusals import refuse

from mavos_jax.datasets import BenchmarkName, open_benchmark
from mavos_jax.evaluation.reading import mask_path, output_size, read_given, shrink_mask
from mavos_jax.evaluation.submission import check_submission, write_submission
from mavos_jax.media.masks import write_mask
from mavos_jax.media.pictures import read_frame_header

FIRST_ENTRIES = {
    ("youtube_vos2019", "valid"): "Annotations/bear/00002.png",
    ("davis2017", "test-dev"): "bear/00000.png",
    ("davis2016", "val"): "bear/00000.png",
    ("lvos1", "test"): "Annotations/bear/00000001.png",
    ("mose", "valid"): "bear/00000.png",
    ("mosev2", "valid"): "bear/00000.png",
    ("sav", "val"): "bear/000/00000.png",
    ("vost", "val"): "bear/frame00000.png",
    ("long_time_video", "val"): "blueboy/8.png",
    ("folder", "val"): "bear/00000.png",
}


def open_tree(root, dataset: BenchmarkName = "youtube_vos2019", split="valid", **settings):
    return open_benchmark(write_benchmark_tree(root, dataset, split=split, **settings))


def write_results(benchmark, folder):
    """Repeats the given masks on every frame from theirs on, and saves more than is wanted."""
    for sequence in benchmark.sequences:
        stored = read_frame_header(sequence.frames[0]).size
        size, ids = output_size(benchmark, stored), np.zeros(stored, np.uint8)
        for index in range(len(sequence.frames)):
            if index in sequence.given:
                new, _ = read_given(benchmark, sequence, index, stored)
                ids = np.where(new > 0, new, ids)
            write_mask(mask_path(folder, sequence, index), shrink_mask(ids, size))
    return folder


def pack(root, *tree, **settings):
    benchmark = open_tree(root / "set", *tree, **settings)
    results = write_results(benchmark, root / "results")
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


def replace(path, name, save):
    """A change of one mask, whose image ``save(image, file)`` writes."""

    def change(entry, data):
        if entry != name:
            return [(entry, data)]
        with zipfile.ZipFile(path) as archive, archive.open(name) as stream:
            image = Image.open(stream)
            image.load()
        file = path.with_name("image")
        save(image, file)
        return [(entry, file.read_bytes())]

    return change


@pytest.mark.parametrize(("dataset", "split"), FIRST_ENTRIES)
def test_every_set_is_nested_as_its_server_wants(tmp_path, dataset, split):
    benchmark = open_tree(tmp_path / "set", dataset, split)
    results = write_results(benchmark, tmp_path / "run/masks")
    (results / "other/0.png").parent.mkdir()
    (results / "other/0.png").touch()
    summary = write_submission(benchmark, results.parent, tmp_path / "out/x.zip")
    with zipfile.ZipFile(summary.path) as archive:
        names, infos = archive.namelist(), archive.infolist()
        mask = results / names[-1].removeprefix("Annotations/")
        assert archive.read(names[-1]) == mask.read_bytes()
    nesting = "Annotations/" if names[0].startswith("Annotations/") else ""
    assert names == [
        f"{nesting}{sequence.name}/{sequence.frame_name(index)}.png"
        for sequence in benchmark.sequences
        for index in sequence.saved
    ]
    assert names[0] == FIRST_ENTRIES[dataset, split]
    assert {info.compress_type for info in infos} == {zipfile.ZIP_STORED}
    assert (summary.num_sequences, summary.num_frames) == (len(benchmark.sequences), len(names))
    assert summary.num_bytes == summary.path.stat().st_size
    assert check_submission(benchmark, summary.path) == []


def test_bytes_depend_on_the_masks_of_listed_frames_alone(packed, tmp_path):
    benchmark, results, path = packed
    whole = open_tree(tmp_path / "all", all_frames=True)
    assert len(whole.sequences[0].frames) > len(whole.sequences[0].saved)
    more = write_results(whole, tmp_path / "more")
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
    with pytest.raises(ValueError, match=r"1 missing: 00004\.png") as error:
        write_submission(benchmark, results, path)
    message = str(error.value)
    assert message.startswith(f"{results / 'bear'}: expected")
    assert f"the first of 2 problems; {path} is not written" in message
    (results / "bear").rename(results / "bears")
    refuse("all 3 sequences", write_submission, benchmark, results, path)
    assert path.read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["results", "right.zip", "set"]


@pytest.mark.parametrize(
    ("tree", "change", "wanted", "found"),
    [
        ((), lambda name: name.removeprefix("Annotations/"), "Annotations/", ""),
        ((), lambda name: f"run/{name}", "Annotations/", "run/Annotations/"),
        (("davis2017", "test-dev"), lambda name: f"results/{name}", "", "results/"),
    ],
)
def test_wrong_nesting_is_one_problem(tmp_path, tree, change, wanted, found):
    packed = pack(tmp_path, *tree)
    (line,) = check_changed(packed, lambda name, data: [(change(name), data)])
    place = "<sequence>/<frame>.png"
    assert line.startswith(f": expected {wanted}{place}, found {found}{place};")


def test_missing_and_additional_files_are_named(packed):
    def change(name, data):
        if "/dog-10/" in name or name.endswith(("bear/00004.png", "bear/00008.png")):
            return []
        more = [("Annotations/cat/0.png", data), ("readme.txt", b"")]
        more += [("Annotations/dog-2/00003.png", data), ("Annotations/dog-2/00004.jpg", data)]
        return [(name, data), *(more if name.endswith("bear/00002.png") else [])]

    faults = [
        ("Annotations/bear: expected", "2 missing: 00004.png, 00008.png"),
        ("Annotations/dog-2: expected", "1 saved as JPEG, which changes ids: 00004.jpg"),
        ("Annotations/dog-2: expected", "1 more: 00003.png"),
        ("Annotations/dog-10: expected", "each of 6 frames, found none"),
        ("Annotations/cat: expected", "found 0.png"),
        (": expected", "found readme.txt"),
    ]
    for line, (start, words) in zip(check_changed(packed, change), faults, strict=True):
        assert line.startswith(start)
        assert words in line


@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
def test_hidden_and_double_files_are_named(packed):
    def change(name, data):
        entries = [("Annotations/", b""), (name, data), (f"__MACOSX/{name}", b"")]
        if name.endswith("bear/00002.png"):
            return [*entries, (name, data), ("Annotations/.DS_Store", b"")]
        return entries[1:]

    hidden, double = check_changed(packed, change)
    assert hidden.startswith(": expected only masks, found 19 hidden files: __MACOSX/Annotations")
    assert re.match(r"Annotations/bear/00002\.png: expected one .*, found 2; pack", double)


MASK = "Annotations/dog-10/00008.png"  # object 1 is there from 00002 on, and 3 from 00008


def paint(number):
    def save(image, file):
        ids = np.array(image)
        ids[:2] = number
        write_mask(file.with_suffix(".png"), ids)
        file.with_suffix(".png").rename(file)

    return save


@pytest.mark.parametrize(
    ("save", "problem"),
    [
        (lambda i, f: i.convert("RGB").save(f, "PNG"), "found PNG of mode RGB;"),
        (lambda i, f: Image.fromarray(np.array(i)).save(f, "PNG"), "found PNG of mode L;"),
        (lambda i, f: i.convert("RGB").save(f, "JPEG"), "found JPEG of mode RGB;"),
        (lambda i, f: i.save(f, "GIF"), "found GIF of mode P;"),
        (lambda i, f: i.resize((32, 24), 0).save(f, "PNG"), "48 x 64 .*, found 24 x 32"),
        (lambda i, f: i.resize((1000, 1000), 0).save(f, "PNG"), "48 x 64 .*, found 1000 x 1000"),
        (paint(2), "ids 1, 3 of .*, found 2;"),
        (paint(255), "ids 1, 3 of .*, found 255;"),
        (lambda i, f: f.write_bytes(b"text"), "no known image format"),
        (lambda i, f: (i.save(f, "PNG"), f.write_bytes(f.read_bytes()[:-60])), "truncated"),
    ],
)
def test_wrong_masks_are_named(packed, save, problem):
    (line,) = check_changed(packed, replace(packed[2], MASK, save))
    assert line.startswith(f"{MASK}: expected ")
    assert re.search(problem, line)


def test_ids_count_from_the_mask_that_gives_them(packed):
    early, later = (MASK.replace("00008", name) for name in ("00006", "00010"))
    (line,) = check_changed(packed, replace(packed[2], early, paint(3)))
    assert line.startswith(f"{early}: expected the ids 1 of ")
    for mask in (MASK, later):
        assert check_changed(packed, replace(packed[2], mask, paint(3))) == []


def test_a_mask_of_a_binary_set_may_have_any_id(tmp_path):
    packed = pack(tmp_path, "davis2016", "val")
    assert check_changed(packed, replace(packed[2], "bear/00003.png", paint(255))) == []


@pytest.mark.parametrize(
    "name",
    ["", "\0x.png", "/tmp/x.png", "../x.png", "a/../../x.png", "a\\x.png", "a//x.png", "a\nb.png"],
)
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
    path.unlink()
    assert check_submission(benchmark, path) == [f"{path}: expected a zip, found no such file"]
