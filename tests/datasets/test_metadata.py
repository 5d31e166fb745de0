"""Metadata and lists are read in one way, and their names lead nowhere else."""

import dataclasses
import functools
import json
import time

import numpy as np
import pytest
from benchmark_trees import write_benchmark_tree
from data import trees
from PIL import Image

from mavos_jax.config.data import SourceConfig
from mavos_jax.datasets import check_benchmark, open_benchmark, open_source
from mavos_jax.datasets.listing import read_lines, read_list, require_name
from mavos_jax.datasets.metadata import parse_frames, read_metadata
from mavos_jax.runtime.json_files import read_json

BAD_NAMES = [
    "",
    ".",
    "..",
    "/tmp/precious",
    "../precious",
    "bear/../../precious",
    "bear/",
    "bear//x",
    "./bear",
    "C:\\precious",
    "bear\0x",
    "bear\nx",
    "bear\x1b[2J",
    "bear\u2028x",
    "bear\ud800",
    "b" * 201,
    "1" * 5000,
]
GOOD_NAMES = ["bear", "my dog", "birds/3", "a..b", "...", "-rf", "~", "%2F", "犬", "b" * 200]


def read(path, **options):
    return read_metadata(
        path, lambda _, value: parse_frames(path, value), expected="frames", **options
    )


def refused(path, read, *words):
    with pytest.raises(ValueError, match="expected") as error:
        read(path)
    message = str(error.value)
    assert str(path) in message
    assert len(message.splitlines()) == 1
    assert len(message) < len(str(path)) + 400
    assert all(word in message for word in words)


def write_videos(path, videos):
    path.write_text(json.dumps({"videos": videos}))
    return path


def listing(name="bear", number="1", frames=("00000", "00005")):
    return {name: {"objects": {number: {"category": "cat", "frames": list(frames)}}}}


@pytest.mark.parametrize("name", BAD_NAMES)
def test_names_that_lead_elsewhere_are_refused(tmp_path, name):
    refused(write_videos(tmp_path / "meta.json", listing(name)), read, "the name of a sequence")
    frames = write_videos(tmp_path / "meta.json", listing(frames=["00000", name]))
    refused(frames, read, "the name of a frame")
    refused(tmp_path, functools.partial(require_name, name=name))


@pytest.mark.parametrize("name", GOOD_NAMES)
def test_names_that_stay_are_read(tmp_path, name):
    path = write_videos(tmp_path / "meta.json", listing(name, frames=["10", "9", "9"]))
    assert read(path)[name][1].frames == ("9", "10")
    (tmp_path / "val.txt").write_text(f"{name}\n", encoding="utf-8")
    assert read_list(tmp_path / "val.txt") == (name,)


def test_a_frame_lies_in_no_folder_of_its_own(tmp_path):
    refused(write_videos(tmp_path / "meta.json", listing(frames=["a/b"])), read, "'a/b'")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("[" * 100_000, "too many levels"),
        ('{"videos": ' * 5000 + "{}" + "}" * 5000, "too many levels"),
        ('{"videos": {"a": {"objects": {"1": {"frames": [' + "1" * 5000 + "]}}}}}", "5000 digits"),
        ('{"videos": {"a": {}, "a": {}}}', "'a' twice"),
        ('{"videos": NaN}', "'NaN', which is not finite"),
        ('{"videos": -Infinity}', "not finite"),
        ('{"videos": 1e400}', "not finite"),
        ("", "Expecting value"),
        ('{"videos": {}', "delimiter"),
        ("\0\0\0", "Expecting value"),
        (b"\xff\xfe{\0}\0", "can't decode"),
        ("[]", "expected videos.<video>"),
        ("7", "expected videos.<video>"),
        ('{"videos": "bear"}', "expected videos.<video>"),
        ('{"videos": {"a": {"objects": []}}}', "expected videos.<video>"),
        ('{"videos": {"a": null}}', "expected videos.<video>"),
        (json.dumps({"videos": listing(number="1.0")}), "no whole number"),
        (json.dumps({"videos": listing(number="-1")}), "no whole number"),
        (json.dumps({"videos": listing(number="٣")}), "no whole number"),
        (json.dumps({"videos": listing(number="9" * 400)}), "no whole number"),
        (json.dumps({"videos": listing(number="255")}), "from 1 to 254, found 255"),
        (json.dumps({"videos": listing(frames=[0, 5])}), "frames [0, 5], which is no list of text"),
        ('{"videos": {"a": {"objects": {"1": {"frames": "00000"}}}}}', "no list of texts"),
        (
            '{"videos": {"a": {"objects": {"1": {"frames": ["1"]}, "01": {"frames": ["1"]}}}}}',
            "two",
        ),
    ],
)
def test_damaged_metadata(tmp_path, text, found):
    path = tmp_path / "meta.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    refused(path, read, found)
    refused(path, functools.partial(read, allow_empty=True), found)


def test_json_with_a_byte_order_mark(tmp_path):
    (tmp_path / "a.json").write_bytes(b'\xef\xbb\xbf{"a": [1, 2.5, "x"]}\r\n')
    assert read_json(tmp_path / "a.json") == {"a": [1, 2.5, "x"]}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("my dog\nbear\n", ("bear", "my dog")),
        ("\ufeffbear\r\n\r\n  cat 2 \r\ncat 10", ("bear", "cat 2", "cat 10")),
        ("bear/\nbirds/3/\n", ("bear", "birds/3")),
        ("a\x85b\n", None),
        ("a\tb\n", None),
        (
            "/JPEGImages/480p/bear/00000.jpg /Annotations/480p/bear/00000.png\n"
            "/JPEGImages/480p/my dog/00000.JPG\t/Annotations/480p/my dog/00000.png 1\n"
            "JPEGImages/480p/cat/00000.jpg\n",
            ("bear", "cat", "my dog"),
        ),
        ("/JPEGImages/480p/../00000.jpg /Annotations/480p/../00000.png", None),
        ("\n \n\r\n", None),
        ("/etc\n", None),
        ("../x\n", None),
        (b"caf\xe9\n", None),
        (b"\xff\xfeb\0e\0a\0r\0", None),
        ("x\0y", None),
    ],
)
def test_lists(tmp_path, text, names):
    path = tmp_path / "val.txt"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    if names is None:
        refused(path, read_list)
    else:
        assert read_list(tmp_path / "val.txt") == names


def test_lines_are_ended_by_line_feeds_alone(tmp_path):
    (tmp_path / "a.txt").write_text("a b\n\n c\x0bd \n", encoding="utf-8")
    assert read_lines(tmp_path / "a.txt") == ["a b", "c\x0bd"]


def write_spaced(root, kind, sequence):
    trees.write_pairs(root, sequence, ["00000", "00001"], below="." if kind == "folder" else "480p")
    if kind == "folder":
        (root / "val.txt").write_text(f"{sequence}\n")
        return
    for folder in ("JPEGImages", "Annotations"):
        (root / folder).mkdir()
        (root / "480p" / folder).rename(root / folder / "480p")
    (root / "ImageSets" / "2017").mkdir(parents=True)
    (root / "ImageSets" / "2017" / "val.txt").write_text(f"{sequence}\r\n")


@pytest.mark.parametrize("sequence", ["my dog", "birds/my dog 2"])
@pytest.mark.parametrize("kind", ["davis2017", "folder"])
def test_names_with_spaces_or_folders_train(tmp_path, kind, sequence):
    write_spaced(tmp_path, kind, sequence)
    source = open_source(SourceConfig(kind=kind, root=str(tmp_path), split="val"))
    assert [len(source[i]) for i in range(len(source))] == [2]
    assert source[0].name.endswith(f": {sequence}")


@pytest.mark.parametrize("sequence", ["my dog", "birds/my dog 2"])
def test_names_with_spaces_or_folders_are_evaluated(tmp_path, sequence):
    write_spaced(tmp_path, "davis2017", sequence)
    options = dataclasses.replace(write_benchmark_tree(tmp_path / "x", "davis2017"), root=tmp_path)
    assert [s.name for s in open_benchmark(options).sequences] == [sequence]
    assert check_benchmark(options) == []


def test_a_nested_video_of_lvos(tmp_path):
    options = write_benchmark_tree(tmp_path, "lvos2")
    for folder in ("JPEGImages", "Annotations"):
        below = tmp_path / "valid" / folder
        (below / "animals").mkdir()
        (below / "bear").rename(below / "animals" / "bear")
    meta = tmp_path / "valid_meta.json"
    meta.write_text(meta.read_text().replace('"bear"', '"animals/bear"'))
    assert "animals/bear" in [s.name for s in open_benchmark(options).sequences]


@pytest.mark.parametrize("dataset", ["folder", "mose"])
@pytest.mark.parametrize("name", [b"caf\xe9", b"a\\b", b"a\nb"])
def test_odd_names_of_folders_and_frames(tmp_path, dataset, name):
    options = write_benchmark_tree(tmp_path, dataset)
    sequence = open_benchmark(options).sequences[0]
    name = name.decode(errors="surrogateescape")
    frame = sequence.frames[-1].rename(sequence.frames[-1].with_name(f"{name}.jpg"))
    with pytest.raises(ValueError, match="expected the name of a frame") as error:
        open_benchmark(options)
    assert str(error.value) in check_benchmark(options)
    frame.rename(sequence.frames[-1])
    for folder in (sequence.frames[0].parent, sequence.given[0].path.parent):
        folder.rename(folder.with_name(name))
    with pytest.raises(ValueError, match="expected the name of a sequence") as error:
        open_benchmark(options)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (10**29, "no whole number"),
        (99_999_999, "of 20000000 frames"),
        ("99999999", "in bear, of which"),
        (6001, "of 1200 frames"),
        ("1e3", "no whole number"),
        (30.0, "no whole number"),
        (True, "no whole number"),
        (None, "no whole number"),
        (-5, "no whole number"),
        ([1], "no whole number"),
    ],
)
def test_a_range_of_lvos_is_compared_with_the_folder(tmp_path, value, found):
    options = write_benchmark_tree(tmp_path, "lvos2")
    path = tmp_path / "valid_meta.json"
    content = json.loads(path.read_text())
    content["videos"]["bear"]["objects"]["1"]["frame_range"]["end"] = value
    path.write_text(json.dumps(content))
    start = time.monotonic()
    refused(path, lambda _: open_benchmark(options), found)
    assert check_benchmark(options)[0].startswith(str(path))
    assert time.monotonic() - start < 1


def test_whole_ranges_of_lvos_may_be_numbers(tmp_path):
    options = write_benchmark_tree(tmp_path, "lvos2")
    expected = open_benchmark(options).sequences
    path = tmp_path / "valid_meta.json"
    content = json.loads(path.read_text())
    for video in content["videos"].values():
        for listed in video["objects"].values():
            listed["frame_range"] = {k: int(v) for k, v in listed["frame_range"].items()}
    path.write_text(json.dumps(content))
    assert open_benchmark(options).sequences == expected


def test_no_frame_is_read_outside_a_training_set(tmp_path):
    source = trees.write_tree(tmp_path / "set", "youtube_vos")
    Image.fromarray(np.zeros((24, 32, 3), np.uint8)).save(tmp_path / "secret.jpg")
    path = tmp_path / "set" / "train" / "meta.json"
    content = json.loads(path.read_text())
    first = next(iter(content["videos"].values()))["objects"]
    next(iter(first.values()))["frames"].append("../../../../secret")
    path.write_text(json.dumps(content))
    refused(path, lambda _: open_source(source), "the name of a frame")
