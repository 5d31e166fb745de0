"""Whatever is missing or wrong in a data set has one line, on opening and in the check."""

import dataclasses
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from benchmark_trees import write_benchmark_tree, write_mask
from datasets.seen import change, empty, remove, rename, write
from refusals import refuse

from mavos_jax.datasets import BENCHMARKS, check_benchmark, open_benchmark


def fails(options, place, *words):
    """Opening fails in one line that begins with the place; the check has that line once."""
    message = refuse(f"^{place}: .*found", open_benchmark, options)
    assert all(str(word) in message for word in words)
    assert check_benchmark(options).count(message) == 1


@pytest.mark.parametrize("dataset", BENCHMARKS)
def test_a_wrong_root_and_an_unknown_sequence(tmp_path, dataset):
    options = write_benchmark_tree(tmp_path / "set", dataset)
    none, other = tmp_path / "none", tmp_path / "other"
    fails(dataclasses.replace(options, root=none), none, "expected the folder")
    (other / "photos").mkdir(parents=True)
    refuse(f"^{other}.*: expected", open_benchmark, dataclasses.replace(options, root=other))
    names = [s.name for s in open_benchmark(options).sequences]
    chosen = dataclasses.replace(options, sequences=(names[0], "cat"))
    refuse(f"found no cat among {len(names)}: {', '.join(names)}", open_benchmark, chosen)


@pytest.mark.parametrize("dataset", BENCHMARKS)
def test_a_sequence_without_frames_or_masks(tmp_path, dataset):
    options = write_benchmark_tree(tmp_path, dataset)
    sequence = open_benchmark(options).sequences[1]
    frames, masks = sequence.frames[0].parent, sequence.given[0].path.parent
    if dataset != "sav":  # whose objects are those that have a folder
        shutil.rmtree(masks)
        refuse(f"^{masks}.*: expected .*the first .* found no", open_benchmark, options)
    for path in frames.iterdir():
        path.unlink()
    fails(options, frames, "expected the frames of", "an empty folder")


@pytest.mark.parametrize(
    ("dataset", "field", "value"),
    [
        ("mose", "masks_root", Path("elsewhere")),
        ("lvos1", "resolution", "full"),
        ("davis2017", "all_frames", True),
        ("davis2017", "short_edge", 0),
    ],
)
def test_options_that_do_not_fit(tmp_path, dataset, field, value):
    options = write_benchmark_tree(tmp_path, dataset)
    fails(dataclasses.replace(options, **{field: value}), field, "expected", f"found {value}")


def without_objects(root):
    for path in (root / "Annotations/bear").iterdir():
        write_mask(path, np.full((48, 64), 255, np.uint8))


NO_FRAMES = '{"videos": {"a": {"objects": {"1": {"frames": []}}}}}'
FAULTS = {
    # Data set, split, folder: what happens below it, the place named, and words.
    ("davis2017", "val", "."): [
        (rename("Annotations/480p/bear/00003.png", "3.png"), "Annotations/480p/bear", "1: 00003"),
        (remove("Annotations/480p/bear/00000.png"), "Annotations/480p/bear/00000.png", "the first"),
        (write("ImageSets/2017/val.txt", "rhino"), "JPEGImages/480p/rhino", "the frames of"),
        (write("ImageSets/2017/val.txt", "\n"), "ImageSets/2017/val.txt", "an empty list"),
    ],
    ("youtube_vos2019", "valid", "2019/valid"): [
        (remove("meta.json"), "meta.json", "no such file"),
        (remove("Annotations/dog-2/00006.png"), "Annotations/dog-2/00006.png", "of object 5"),
        (remove("JPEGImages/bear/00008.jpg"), "JPEGImages/bear", "1: 00008"),
        (write("meta.json", '{"videos": {}}'), "meta.json", "found none"),
        (write("meta.json", '{"videos": {"a": {"objects": {}}}}'), "meta.json", "none of a"),
        (change("meta.json", '"dog"', '["dog"]'), "meta.json", "category ['dog']"),
        (write("meta.json", NO_FRAMES), "meta.json", "none of 1 in a"),
    ],
    ("youtube_vos2018", "train", "2018/train"): [
        (remove("Annotations/bear/00006.png"), "Annotations/bear", "1: 00006")
    ],
    ("lvos2", "valid", "valid"): [
        (remove("../valid_meta.json"), "../valid_meta.json", "no such file"),
        (remove("Annotations/dog-10/00000026.png"), "Annotations/dog-10", "1: 00000026"),
        (remove("Annotations/dog-10/00000016.png"), "Annotations/dog-10/00000016.png", "object 3"),
        (remove("JPEGImages/bear/00000011.jpg"), "JPEGImages/bear", "1: 00000011"),
        (change("../valid_meta.json", '"end"', '"last"'), "../valid_meta.json", "'end'"),
        (change("../valid_meta.json", '": "5"', '": "many"'), "../valid_meta.json", "many"),
    ],
    ("mose", "valid", "valid"): [
        (rename("Annotations/bear/00000.png", "99.png"), "Annotations/bear/99.png", "a frame"),
        (empty("JPEGImages"), "JPEGImages", "a folder of frames"),
    ],
    ("folder", "val", "."): [(without_objects, "Annotations/bear", "only 0 and 255")],
}


@pytest.mark.parametrize(
    ("dataset", "split", "folder", "harm", "place", "words"),
    [(*key, *fault) for key, faults in FAULTS.items() for fault in faults],
)
def test_what_is_missing_or_wrong_is_named(tmp_path, dataset, split, folder, harm, place, words):
    options = write_benchmark_tree(tmp_path, dataset, split=split)
    harm(tmp_path / folder)
    fails(options, os.path.normpath(tmp_path / folder / place), words)


def test_davis_that_is_not_all_there(tmp_path):
    options = write_benchmark_tree(tmp_path, "davis2017", resolution="full_to_480p")
    fails(dataclasses.replace(options, split="trian"), tmp_path / "ImageSets/2017/trian.txt")
    fails(dataclasses.replace(options, masks_root=tmp_path / "x"), tmp_path / "x", "the folder")
    for kind, suffix in (("JPEGImages", "jpg"), ("Annotations", "png")):
        (tmp_path / kind / f"Full-Resolution/bear/00002.{suffix}").unlink()
    fails(options, tmp_path / "Annotations/480p/bear/00002.png", "the name of a frame")
    shutil.rmtree(tmp_path / "JPEGImages/Full-Resolution")
    fails(options, tmp_path / "JPEGImages", "Full-Resolution or 1080p", "found an empty folder")


def test_youtube_vos_of_another_year_or_without_all_frames(tmp_path):
    options = write_benchmark_tree(tmp_path, "youtube_vos2019")
    folder = tmp_path / "2019/valid_all_frames/JPEGImages"
    fails(dataclasses.replace(options, all_frames=True), folder, "the images of all frames")
    fails(dataclasses.replace(options, dataset="youtube_vos2018"), tmp_path, "found 2019")


LABELLED = [
    *(("davis2016", "val"), ("davis2017", "val"), ("lvos2", "valid")),
    *(("youtube_vos2019", "train"), ("mose", "train"), ("folder", "val")),
    ("long_time_video", "val"),
]


@pytest.mark.parametrize(("dataset", "split"), LABELLED)
@pytest.mark.parametrize("missing", [(3,), (-2, -1)])
def test_a_labelled_frame_that_is_missing(tmp_path, dataset, split, missing):
    options = write_benchmark_tree(tmp_path, dataset, split=split)
    sequence = open_benchmark(options).sequences[0]
    labelled = sorted(sequence.truth)
    for index in missing:
        sequence.frames[labelled[index]].unlink()
    first = sequence.truth[labelled[missing[0]]]
    if dataset.startswith(("lvos", "youtube")):  # whose metadata list the frame
        fails(options, sequence.frames[0].parent, first.stem)
    else:
        fails(options, first, "the name of a frame", sequence.frames[0].parent)


@pytest.mark.parametrize(
    ("dataset", "split"),
    [("davis2017", "val"), ("mose", "valid"), ("lvos2", "test"), ("youtube_vos2019", "valid")],
)
def test_a_number_left_out_of_the_frames(tmp_path, dataset, split):
    all_frames = dataset == "youtube_vos2019"
    options = write_benchmark_tree(tmp_path, dataset, split=split, all_frames=all_frames)
    (tmp_path / "test_meta.json").unlink(missing_ok=True)  # which lists the frames
    sequence = open_benchmark(options).sequences[0]
    path = sequence.frames[3]
    for file in (path, sequence.truth.get(3, path)):
        file.unlink(missing_ok=True)
    fails(options, path, "expected a frame between its neighbours, found no such file")
    if all_frames:  # without the package, frames between the listed ones are not there at all
        open_benchmark(dataclasses.replace(options, all_frames=False))


def test_names_that_are_no_numbers_leave_none_out(tmp_path):
    options = write_benchmark_tree(tmp_path, "mose")
    path = open_benchmark(options).sequences[0].frames[3]
    path.rename(path.with_name("a.jpg"))
    assert check_benchmark(options) == []


def keep_first_masks(options, *chosen):
    for sequence in open_benchmark(options).sequences:
        for index, path in sequence.truth.items() if sequence.name in chosen else ():
            if index not in sequence.given:
                path.unlink()


@pytest.mark.parametrize(("dataset", "split"), LABELLED[1:-1])
def test_a_sequence_without_labels_among_others(tmp_path, dataset, split):
    options = write_benchmark_tree(tmp_path, dataset, split=split)
    keep_first_masks(options, "bear")
    message = refuse(r"of all 3 .* none of 1: bear; ", open_benchmark, options)
    assert message in check_benchmark(options)
    assert open_benchmark(dataclasses.replace(options, sequences=("dog-2", "dog-10"))).has_truth


def test_no_labels_at_all_where_they_are_public(tmp_path):
    options = write_benchmark_tree(tmp_path, "davis2017")
    keep_first_masks(options, "bear", "dog-2", "dog-10")
    fails(options, tmp_path / "ImageSets/2017/val.txt", "found none of 3: bear, dog-2, dog-10")
