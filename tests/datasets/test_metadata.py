"""Metadata and lists are read in one way, and their names lead nowhere else."""

import functools
import json
import time

import pytest
from benchmark_trees import write_benchmark_tree
from datasets.seen import change_json
from refusals import refuse

from mavos_jax.datasets import check_benchmark, listing, open_benchmark
from mavos_jax.runtime.untrusted import read_json

BAD_NAMES = [
    *("", ".", "..", "/tmp/precious", "../precious", "bear/../../precious", "bear/", "bear//x"),
    *("./bear", "C:\\precious", "bear\0x", "bear\nx", "bear\x1b[2J", "bear\u2028x", "bear\ud800"),
    *("b" * 201, "1" * 5000),
]
GOOD_NAMES = ["bear", "my dog", "birds/3", "a..b", "...", "-rf", "~", "%2F", "犬", "b" * 200]


def read(path, **options):
    return listing.read_metadata(
        path, lambda _, value: listing.parse_frames(path, value), expected="frames", **options
    )


def refused(path, read, *words):
    message = refuse("expected", read, path)
    assert len(message) < len(str(path)) + 400
    assert all(word in message for word in (str(path), *words))


def metadata(name="bear", number="1", frames=("00000", "00005")):
    objects = {number: {"category": "cat", "frames": list(frames)}}
    return json.dumps({"videos": {name: {"objects": objects}}})


@pytest.fixture
def meta(tmp_path):
    return tmp_path / "meta.json"


@pytest.mark.parametrize("name", BAD_NAMES)
def test_names_that_lead_elsewhere_are_refused(meta, name):
    meta.write_text(metadata(name))
    refused(meta, read, "the name of a sequence")
    meta.write_text(metadata(frames=["00000", name]))
    refused(meta, read, "the name of a frame")
    refused(meta, functools.partial(listing.require_name, name=name))


@pytest.mark.parametrize("name", GOOD_NAMES)
def test_names_that_stay_are_read(meta, name):
    meta.write_text(metadata(name, frames=["10", "9", "9"]))
    assert read(meta)[name][1].frames == ("9", "10")
    meta.write_text(f"{name}\n", encoding="utf-8")
    assert listing.read_list(meta) == (name,)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("[" * 100_000, "too many levels"),
        ('{"videos": ' * 5000 + "{}" + "}" * 5000, "too many levels"),
        ('{"videos": {"a": {"objects": {"1": {"frames": [' + "1" * 5000 + "]}}}}}", "5000 digits"),
        ('{"videos": {"a": {}, "a": {}}}', "'a' twice"),
        *((f'{{"videos": {number}}}', "not finite") for number in ("NaN", "-Infinity", "1e400")),
        ("\0\0\0", "Expecting value"),
        (b"\xff\xfe{\0}\0", "can't decode"),
        ("[]", "videos.<video>"),
        ('{"videos": {"a": {"objects": []}}}', "videos.<video>"),
        ('{"videos": {"a": null}}', "videos.<video>"),
        *((metadata(number=number), "no whole number") for number in ("1.0", "-1", "٣", "9" * 400)),
        (metadata(number="255"), "from 1 to 254, found 255"),
        (metadata(frames=[0, 5]), "frames [0, 5], which is no list of text"),
        (metadata(frames=["a/b"]), "'a/b'"),
        (metadata().replace('["00000", "00005"]', '"00000"'), "no list of texts"),
        (metadata().replace('"1": {', '"01": {"frames": ["1"]}, "1": {'), "two"),
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
        (b"\xff\xfeb\0e\0a\0r\0", None),
    ],
)
def test_lists(tmp_path, text, names):
    path = tmp_path / "val.txt"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    if names is None:
        refused(path, listing.read_list)
    else:
        assert listing.read_list(path) == names


def test_lines_are_ended_by_line_feeds_alone(tmp_path):
    (tmp_path / "a.txt").write_text("a b\n\n c\x0bd \n", encoding="utf-8")
    assert listing.read_lines(tmp_path / "a.txt") == ["a b", "c\x0bd"]


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
    start = time.process_time()
    refused(path, lambda _: open_benchmark(options), found)
    assert check_benchmark(options)[0].startswith(str(path))
    assert time.process_time() - start < 2  # 20 million names take longer
