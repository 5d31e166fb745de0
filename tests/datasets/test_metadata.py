"""Metadata and lists are read in one way, and their names lead nowhere else."""

import functools
import json
import time

import numpy as np
import pytest
from benchmark_trees import write_benchmark_tree, write_source
from datasets.seen import change_json
from PIL import Image
from refusals import refuse

from mavos_jax.config.data import SourceConfig
from mavos_jax.datasets import check_benchmark, open_benchmark, open_source
from mavos_jax.datasets.listing import (
    parse_frames,
    read_lines,
    read_list,
    read_metadata,
    require_name,
)
from mavos_jax.runtime.untrusted import read_json

BAD_NAMES = [
    *("", ".", "..", "/tmp/precious", "../precious", "bear/../../precious", "bear/", "bear//x"),
    *("./bear", "C:\\precious", "bear\0x", "bear\nx", "bear\x1b[2J", "bear\u2028x", "bear\ud800"),
    *("b" * 201, "1" * 5000),
]
GOOD_NAMES = ["bear", "my dog", "birds/3", "a..b", "...", "-rf", "~", "%2F", "犬", "b" * 200]


def read(path, **options):
    return read_metadata(
        path, lambda _, value: parse_frames(path, value), expected="frames", **options
    )


def refused(path, read, *words):
    message = refuse("expected", read, path)
    assert len(message.splitlines()) == 1
    assert len(message) < len(str(path)) + 400
    assert all(word in message for word in (str(path), *words))


def listing(name="bear", number="1", frames=("00000", "00005")):
    objects = {number: {"category": "cat", "frames": list(frames)}}
    return json.dumps({"videos": {name: {"objects": objects}}})


@pytest.fixture
def meta(tmp_path):
    return tmp_path / "meta.json"


@pytest.mark.parametrize("name", BAD_NAMES)
def test_names_that_lead_elsewhere_are_refused(meta, name):
    meta.write_text(listing(name))
    refused(meta, read, "the name of a sequence")
    meta.write_text(listing(frames=["00000", name]))
    refused(meta, read, "the name of a frame")
    refused(meta, functools.partial(require_name, name=name))


@pytest.mark.parametrize("name", GOOD_NAMES)
def test_names_that_stay_are_read(meta, name):
    meta.write_text(listing(name, frames=["10", "9", "9"]))
    assert read(meta)[name][1].frames == ("9", "10")
    meta.write_text(f"{name}\n", encoding="utf-8")
    assert read_list(meta) == (name,)


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
        ("[]", "videos.<video>"),
        ("7", "videos.<video>"),
        ('{"videos": "bear"}', "videos.<video>"),
        ('{"videos": {"a": {"objects": []}}}', "videos.<video>"),
        ('{"videos": {"a": null}}', "videos.<video>"),
        (listing(number="1.0"), "no whole number"),
        (listing(number="-1"), "no whole number"),
        (listing(number="٣"), "no whole number"),
        (listing(number="9" * 400), "no whole number"),
        (listing(number="255"), "from 1 to 254, found 255"),
        (listing(frames=[0, 5]), "frames [0, 5], which is no list of text"),
        (listing(frames=["a/b"]), "'a/b'"),
        (listing().replace('["00000", "00005"]', '"00000"'), "no list of texts"),
        (listing().replace('"1": {', '"01": {"frames": ["1"]}, "1": {'), "two"),
    ],
)
def test_damaged_metadata(meta, text, found):
    meta.write_bytes(text if isinstance(text, bytes) else text.encode())
    refused(meta, read, found)
    refused(meta, functools.partial(read, allow_empty=True), found)


def test_json_with_a_byte_order_mark(meta):
    meta.write_bytes(b'\xef\xbb\xbf{"a": [1, 2.5, "x"]}\r\n')
    assert read_json(meta) == {"a": [1, 2.5, "x"]}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("my dog\nbear\n", ("bear", "my dog")),
        ("\ufeffbear\r\n\r\n  cat 2 \r\ncat 10", ("bear", "cat 2", "cat 10")),
        ("bear/\nbirds/3/\n", ("bear", "birds/3")),
        (
            "/JPEGImages/480p/bear/00000.jpg /Annotations/480p/bear/00000.png\n"
            "/JPEGImages/480p/my dog/00000.JPG\t/Annotations/480p/my dog/00000.png 1\n"
            "JPEGImages/480p/cat/00000.jpg\n",
            ("bear", "cat", "my dog"),
        ),
        ("/JPEGImages/480p/../00000.jpg /Annotations/480p/../00000.png", None),
        *((text, None) for text in ("\n \n\r\n", "a\x85b\n", "a\tb\n", "/etc\n", "../x\n", "x\0y")),
        (b"caf\xe9\n", None),
        (b"\xff\xfeb\0e\0a\0r\0", None),
    ],
)
def test_lists(tmp_path, text, names):
    path = tmp_path / "val.txt"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    if names is None:
        refused(path, read_list)
    else:
        assert read_list(path) == names


def test_lines_are_ended_by_line_feeds_alone(tmp_path):
    (tmp_path / "a.txt").write_text("a b\n\n c\x0bd \n", encoding="utf-8")
    assert read_lines(tmp_path / "a.txt") == ["a b", "c\x0bd"]


@pytest.mark.parametrize("name", ["my dog", "birds/my dog 2"])
@pytest.mark.parametrize("dataset", ["davis2017", "folder", "lvos2"])
def test_names_with_spaces_or_folders(tmp_path, dataset, name):
    options = write_benchmark_tree(tmp_path, dataset)
    sequence = open_benchmark(options).sequences[0]
    for folder in (sequence.frames[0].parent, sequence.given[0].path.parent):
        (folder.parent / name).parent.mkdir(exist_ok=True)
        folder.rename(folder.parent / name)
    for path in (*tmp_path.rglob("*.txt"), *tmp_path.rglob("*.json")):
        path.write_text(path.read_text().replace("bear", name))
    assert name in [s.name for s in open_benchmark(options).sequences]
    assert check_benchmark(options) == []
    if dataset != "lvos2":  # whose folders training takes as they are, without metadata
        source = open_source(SourceConfig(kind=dataset, root=str(tmp_path), split=options.split))
        assert any(source[i].name.endswith(f": {name}") for i in range(3))


@pytest.mark.parametrize("dataset", ["folder", "mose"])
@pytest.mark.parametrize("name", [b"caf\xe9", b"a\\b", b"a\nb"])
def test_odd_names_of_folders_and_frames(tmp_path, dataset, name):
    options = write_benchmark_tree(tmp_path, dataset)
    sequence = open_benchmark(options).sequences[0]
    frame, name = sequence.frames[-1], name.decode(errors="surrogateescape")
    renamed = frame.rename(frame.with_name(f"{name}.jpg"))
    message = refuse("expected the name of a frame", open_benchmark, options)
    assert message in check_benchmark(options)
    renamed.rename(frame)
    for folder in (frame.parent, sequence.given[0].path.parent):
        folder.rename(folder.with_name(name))
    refuse("expected the name of a sequence", open_benchmark, options)


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (10**29, "no whole number"),
        (99_999_999, "of 20000000 frames"),
        ("99999999", "in bear, of which"),
        (6001, "of 1200 frames"),
        *((value, "no whole number") for value in ("1e3", 30.0, True, None, -5, [1])),
    ],
)
def test_a_range_of_lvos_is_compared_with_the_folder(tmp_path, value, found):
    options = write_benchmark_tree(tmp_path, "lvos2")
    path = tmp_path / "valid_meta.json"
    with change_json(path) as content:
        content["videos"]["bear"]["objects"]["1"]["frame_range"]["end"] = value
    start = time.monotonic()
    refused(path, lambda _: open_benchmark(options), found)
    assert check_benchmark(options)[0].startswith(str(path))
    assert time.monotonic() - start < 1


def test_whole_ranges_of_lvos_may_be_numbers(tmp_path):
    options = write_benchmark_tree(tmp_path, "lvos2")
    expected = open_benchmark(options).sequences
    with change_json(tmp_path / "valid_meta.json") as content:
        for video in content["videos"].values():
            for listed in video["objects"].values():
                listed["frame_range"] = {k: int(v) for k, v in listed["frame_range"].items()}
    assert open_benchmark(options).sequences == expected


def test_no_frame_is_read_outside_a_training_set(tmp_path):
    source = write_source(tmp_path / "set", "youtube_vos")
    Image.fromarray(np.zeros((24, 32, 3), np.uint8)).save(tmp_path / "secret.jpg")
    path = tmp_path / "set/2019/train/meta.json"
    with change_json(path) as content:
        content["videos"]["bear"]["objects"]["1"]["frames"].append("../../../../../secret")
    refused(path, lambda _: open_source(source), "the name of a frame")
