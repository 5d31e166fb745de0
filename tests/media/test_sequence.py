from pathlib import Path

import pytest
from PIL import Image

from mavos_jax.media.sequence import open_sequence


def write_sequence(root, name="bike", frames=(0, 1, 2, 3), masks=(0,)):
    for kind, indices, suffix in (("JPEGImages", frames, "jpg"), ("Annotations", masks, "png")):
        folder = root / kind / name
        folder.mkdir(parents=True)
        for index in indices:
            Image.new("L", (16, 12), index).save(folder / f"{index:05d}.{suffix}")
    return root / "JPEGImages" / name


def test_a_plain_folder_has_no_annotations(tmp_path):
    folder = write_sequence(tmp_path, masks=()).rename(tmp_path / "frames")
    sequence = open_sequence(folder)
    assert (sequence.annotations, sequence.num_skipped) == ({}, 0)
    assert sequence.frames.num_frames == 4


@pytest.mark.parametrize("name", ["bike", "480p/bike"])
@pytest.mark.parametrize("gives_root", [False, True])
def test_annotations_are_found_from_the_sequence_and_from_the_root(tmp_path, name, gives_root):
    folder = write_sequence(tmp_path, name, masks=(0, 2))
    sequence = open_sequence(tmp_path if gives_root else folder)
    masks = tmp_path / "Annotations" / name
    assert sequence.annotations == {0: masks / "00000.png", 2: masks / "00002.png"}


def test_a_relative_path_finds_its_annotations(tmp_path, monkeypatch):
    folder = write_sequence(tmp_path)
    monkeypatch.chdir(folder.parent)
    sequence = open_sequence(folder.relative_to(folder.parent))
    assert list(sequence.annotations) == [0]


def test_frames_before_the_first_annotation_are_skipped(tmp_path):
    sequence = open_sequence(write_sequence(tmp_path, masks=(1, 3)))
    assert sequence.num_skipped == 1
    assert sequence.frames.name(0) == "00001"
    assert sequence.frames.num_frames == 3
    assert {i: file.stem for i, file in sequence.annotations.items()} == {0: "00001", 2: "00003"}


def test_a_given_mask_belongs_to_the_first_frame(tmp_path):
    folder = write_sequence(tmp_path, masks=(1, 3))
    for mask in (tmp_path / "00001.png", folder / "00001.png"):  # the names alone mean nothing
        sequence = open_sequence(folder, mask)
        assert sequence.num_skipped == 0
        assert sequence.frames.num_frames == 4
        assert list(sequence.annotations) == [0, 1, 3]
        assert sequence.annotations[0] == mask


def test_a_given_annotation_belongs_to_its_frame(tmp_path, monkeypatch):
    folder = write_sequence(tmp_path, masks=(0, 1, 3))
    monkeypatch.chdir(tmp_path)
    mask = Path("Annotations") / "bike" / "00001.png"
    sequence = open_sequence(folder, mask)
    assert (sequence.num_skipped, sequence.frames.name(0)) == (1, "00001")
    assert sequence.annotations[0] == mask
    assert {i: file.stem for i, file in sequence.annotations.items()} == {0: "00001", 2: "00003"}


def test_a_given_mask_is_kept_where_there_are_no_annotations(tmp_path):
    folder = write_sequence(tmp_path, masks=()).rename(tmp_path / "frames")
    assert open_sequence(folder, tmp_path / "mine.png").annotations == {0: tmp_path / "mine.png"}


def test_several_sequences_are_listed(tmp_path):
    for name in ("bike", "dog2", "dog10"):
        write_sequence(tmp_path, name)
    with pytest.raises(ValueError, match=r"found 3: bike, dog2, dog10; give one of them") as error:
        open_sequence(tmp_path)
    assert str(tmp_path) in str(error.value)


def test_an_annotation_without_a_frame_is_refused(tmp_path):
    folder = write_sequence(tmp_path, masks=(0, 7))
    with pytest.raises(ValueError, match=r"00007\.png: expected the name of a frame"):
        open_sequence(folder)


def test_a_root_without_frames_is_refused(tmp_path):
    (tmp_path / "JPEGImages").mkdir()
    with pytest.raises(ValueError, match=r"JPEGImages: expected a folder of frames"):
        open_sequence(tmp_path)
