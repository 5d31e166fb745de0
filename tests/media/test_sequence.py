from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from video_files import write_video

from mavos_jax.media.ids import object_ids
from mavos_jax.media.masks import write_mask
from mavos_jax.media.sequence import LaterMasks, open_sequence


def write_sequence(root, name="bike", frames=(0, 1, 2, 3), masks=(0,)):
    """Writes frames and, of some, masks with one object; returns the folder of frames."""
    for kind, indices, suffix in (("JPEGImages", frames, "jpg"), ("Annotations", masks, "png")):
        folder = root / kind / name
        folder.mkdir(parents=True)
        for index in indices:
            Image.new("L", (16, 12), 1 + index).save(folder / f"{index:05d}.{suffix}")
    return root / "JPEGImages" / name


def write_frames(root):
    return write_sequence(root, masks=()).rename(root / "frames")


def test_a_plain_folder_has_no_annotations(tmp_path):
    folder = write_frames(tmp_path)
    sequence = open_sequence(folder)
    assert (sequence.annotations, sequence.num_skipped) == ({}, 0)
    assert sequence.frames.num_frames == 4
    mask = tmp_path / "mine.png"
    assert open_sequence(folder, mask).annotations == {0: mask}


@pytest.mark.parametrize("name", ["bike", "480p/bike"])
@pytest.mark.parametrize("gives_root", [False, True])
def test_annotations_are_found_from_the_sequence_and_from_the_root(
    tmp_path, monkeypatch, name, gives_root
):
    folder = write_sequence(tmp_path, name, masks=(0, 2))
    masks = tmp_path / "Annotations" / name
    expected = {0: masks / "00000.png", 2: masks / "00002.png"}
    assert open_sequence(tmp_path if gives_root else folder).annotations == expected
    monkeypatch.chdir(folder.parent)
    assert list(open_sequence(Path(folder.name)).annotations) == [0, 2]


def test_frames_before_the_first_annotation_are_skipped(tmp_path):
    sequence = open_sequence(write_sequence(tmp_path, masks=(1, 3)))
    assert sequence.num_skipped == 1
    assert sequence.frames.name(0) == "00001"
    assert sequence.frames.num_frames == 3
    assert {i: file.stem for i, file in sequence.annotations.items()} == {0: "00001", 2: "00003"}


def test_a_given_mask_belongs_to_the_frame_of_its_name_or_else_to_the_first(tmp_path):
    folder = write_sequence(tmp_path, masks=(1, 3))
    for name, index in {"mine.png": 0, "00000.png": 0, "00001.png": 1, "00002.png": 2}.items():
        sequence = open_sequence(folder, tmp_path / name)
        assert sequence.num_skipped == index
        assert sequence.frames.num_frames == 4 - index
        later = [i - index for i in (1, 3) if i > index]
        assert list(sequence.annotations) == [0, *later]
        assert sequence.annotations[0] == tmp_path / name
        assert len(sequence.notes) == (index > 0)
    note = open_sequence(folder, tmp_path / "00002.png").notes[0]
    assert "start: 00002, the frame that" in note
    assert "--start 00000" in note


def test_a_name_that_is_only_like_that_of_a_later_frame_is_pointed_out(tmp_path):
    folder = write_frames(tmp_path)
    for name in ("mask_2.png", "2.png", "000002.png"):
        sequence = open_sequence(folder, tmp_path / name)
        assert sequence.num_skipped == 0
        assert "taken for the first frame; --start 00002 " in sequence.notes[0]
    video = write_video(tmp_path / "clip.mp4", num_frames=3)
    assert "--start 2 " in open_sequence(video, tmp_path / "00002.png").notes[0]
    clear = ((folder, "0.png"), (folder, "7.png"), (video, "00000.png"), (video, "3.png"))
    for path, name in clear:
        assert open_sequence(path, tmp_path / name).notes == ()


@pytest.mark.parametrize(("start", "index"), [("2", 2), ("00002", 2), ("0", 0), ("b", 1)])
def test_a_start_is_a_name_or_a_number(tmp_path, start, index):
    folder = write_frames(tmp_path)
    (folder / "00001.jpg").rename(folder / "00001_b.jpg")
    start = "00001_b" if start == "b" else start
    mask = tmp_path / "00003.png"
    sequence = open_sequence(folder, mask, start)
    assert (sequence.num_skipped, sequence.annotations) == (index, {0: mask})
    assert sequence.frames.name(0) == ("00001_b" if index == 1 else f"{index:05d}")
    assert sequence.notes == ()


def test_a_start_in_a_video_file(tmp_path):
    video = write_video(tmp_path / "clip.mp4", num_frames=4)
    sequence = open_sequence(video, tmp_path / "mine.png", "3")
    assert (sequence.num_skipped, sequence.frames.num_frames) == (3, 1)
    assert sequence.frames.name(0) == "00003"
    assert len(list(sequence.frames)) == 1


@pytest.mark.parametrize("start", ["4", "-1", "00009", "", "x", "1.0", "9" * 400, "\u0663"])
def test_a_start_that_is_no_frame_is_refused(tmp_path, start):
    folder = write_sequence(tmp_path)
    video = write_video(tmp_path / "clip.mp4", num_frames=4)
    for path in (folder, video):
        with pytest.raises(ValueError, match=rf"{path}: .* up to 3, found .*--start"):
            open_sequence(path, tmp_path / "mine.png", start)


def test_a_start_needs_a_mask_of_its_frame(tmp_path):
    folder = write_sequence(tmp_path, masks=(0, 2))
    sequence = open_sequence(folder, start="2")
    assert (sequence.num_skipped, list(sequence.annotations)) == (2, [0])
    with pytest.raises(ValueError, match=r"frame 1, .*--mask FILE"):
        open_sequence(folder, start="1")


def test_annotations_before_the_first_object_are_skipped(tmp_path):
    folder = write_sequence(tmp_path, masks=(0, 1, 2, 3))
    for name in ("00000", "00001"):
        Image.new("L", (16, 12)).save(tmp_path / "Annotations" / "bike" / f"{name}.png")
    sequence = open_sequence(folder)
    assert (sequence.num_skipped, list(sequence.annotations)) == (2, [0, 1])
    assert sequence.notes == ("start: 00002; 2 masks before show no object",)
    Image.new("L", (16, 12), 1).save(tmp_path / "Annotations" / "bike" / "00001.png")
    (note,) = open_sequence(folder).notes
    assert "start: 00001; " in note
    assert "00000.png shows no object" in note


def test_a_given_annotation_belongs_to_its_frame(tmp_path, monkeypatch):
    folder = write_sequence(tmp_path, masks=(0, 1, 3))
    monkeypatch.chdir(tmp_path)
    mask = Path("Annotations") / "bike" / "00001.png"
    sequence = open_sequence(folder, mask)
    assert (sequence.num_skipped, sequence.frames.name(0)) == (1, "00001")
    assert sequence.annotations[0] == mask
    assert {i: file.stem for i, file in sequence.annotations.items()} == {0: "00001", 2: "00003"}


def test_several_sequences_are_listed(tmp_path):
    for name in ("bike", "dog2", "dog10"):
        write_sequence(tmp_path, name)
    with pytest.raises(ValueError, match=rf"{tmp_path}: .* 3: bike, dog2, dog10; give one of them"):
        open_sequence(tmp_path)


def test_an_annotation_without_a_frame_is_refused(tmp_path):
    folder = write_sequence(tmp_path, masks=(0, 7))
    with pytest.raises(ValueError, match=r"00007\.png: expected the name of a frame"):
        open_sequence(folder)


def test_a_root_without_frames_is_refused(tmp_path):
    (tmp_path / "JPEGImages").mkdir()
    with pytest.raises(ValueError, match=r"JPEGImages: expected a folder of frames"):
        open_sequence(tmp_path)


SIZE = (12, 16)


@pytest.fixture
def files(tmp_path):
    """Masks by frame; their ids lie in columns beside each other."""
    found = {}
    for index, shown in {3: (1, 2), 5: (1, 2), 9: (4, 2), 12: ()}.items():
        ids = np.zeros(SIZE, np.uint8)
        for place, value in enumerate(shown):
            ids[2:8, 5 * place : 5 * place + 4] = value
        found[index] = tmp_path / f"{index}.png"
        write_mask(found[index], ids)
    return found


def test_new_objects_are_the_first_mask_of_every_id(files):
    labels = LaterMasks(files, SIZE, known=(1,), corrects=False)
    assert labels.new_ids == {3: (2,), 9: (4,)}
    assert list(labels) == [3, 9]
    assert object_ids(labels[9]) == (4,)
    assert (labels[9][2:8, :4] == 4).all()
    assert 5 not in labels
    with pytest.raises(KeyError):
        labels[5]
    assert str(labels) == (
        "masks: 3 used (1 at the start, 2 with new objects), 2 without new objects ignored"
    )


def test_corrections_are_whole_masks(files):
    labels = LaterMasks(files, SIZE, known=(1,), corrects=True)
    assert list(labels) == [3, 5, 9]
    assert (labels.new_ids, labels.corrections) == ({3: (2,), 9: (4,)}, [3, 5, 9])
    assert object_ids(labels[9]) == (2, 4)
    assert "3 correcting known ones" in str(labels)
    with pytest.raises(ValueError, match=r"3\.png: expected a mask of 12 x 17"):
        LaterMasks(files, (12, 17), known=(1,), corrects=True)
