from pathlib import Path

import pytest
from PIL import Image
from refusals import refuse
from video_files import write_video

from mavos_jax.media.sequence import open_sequence


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
    sequence = open_sequence(write_frames(tmp_path))
    assert (sequence.annotations, sequence.num_skipped) == ({}, 0)
    assert sequence.frames.num_frames == 4


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


@pytest.mark.parametrize(
    ("masks", "given", "start", "first", "annotations"),
    [
        ((1, 3), None, None, 1, ["00001", "00003"]),  # frames before an annotation are skipped
        # A given mask belongs to the frame of its name, or else to the first.
        ((1, 3), "mine.png", None, 0, ["mine", "00001", "00003"]),
        ((1, 3), "00000.png", None, 0, ["00000", "00001", "00003"]),
        ((1, 3), "00001.png", None, 1, ["00001", "00003"]),
        ((1, 3), "00002.png", None, 2, ["00002", "00003"]),
        ((0, 1, 3), "Annotations/bike/00001.png", None, 1, ["00001", "00003"]),
        ((0, 2), None, "2", 2, ["00002"]),
        *(((), "00003.png", start, int(start), ["00003"]) for start in ("2", "00002", "0")),
    ],
)
def test_where_a_sequence_starts(tmp_path, monkeypatch, masks, given, start, first, annotations):
    folder = write_sequence(tmp_path, masks=masks)
    monkeypatch.chdir(tmp_path)
    mask = given and Path(given)
    sequence = open_sequence(folder, mask, start)
    assert sequence.num_skipped == first
    assert (sequence.frames.name(0), sequence.frames.num_frames) == (f"{first:05d}", 4 - first)
    assert [path.stem for path in sequence.annotations.values()] == annotations
    assert sequence.annotations[0] == mask or mask is None
    later = [int(name) - first for name in annotations[1:]]
    assert list(sequence.annotations) == [0, *later]
    if mask is None or start is not None or first == 0:
        assert sequence.notes == ()
    else:
        assert all(words in sequence.notes[0] for words in (f"{first:05d}", "--start"))


def test_a_name_that_is_only_like_that_of_a_later_frame_is_pointed_out(tmp_path):
    folder = write_frames(tmp_path)
    video = write_video(tmp_path / "clip.mp4", num_frames=3)
    for name in ("mask_2.png", "2.png", "000002.png"):
        sequence = open_sequence(folder, tmp_path / name)
        assert sequence.num_skipped == 0
        assert "--start 00002 " in sequence.notes[0]
    assert "--start 2 " in open_sequence(video, tmp_path / "00002.png").notes[0]
    for path, names in ((folder, ("0.png", "7.png")), (video, ("00000.png", "3.png"))):
        for name in names:
            assert open_sequence(path, tmp_path / name).notes == ()


def test_a_start_by_any_name_or_in_a_video_file(tmp_path):
    folder = write_frames(tmp_path)
    (folder / "00001.jpg").rename(folder / "00001_b.jpg")
    sequence = open_sequence(folder, tmp_path / "00003.png", "00001_b")
    assert (sequence.num_skipped, sequence.frames.name(0)) == (1, "00001_b")
    video = write_video(tmp_path / "clip.mp4", num_frames=4)
    sequence = open_sequence(video, tmp_path / "mine.png", "3")
    assert (sequence.num_skipped, sequence.frames.num_frames) == (3, 1)
    assert sequence.frames.name(0) == "00003"
    assert len(list(sequence.frames)) == 1


@pytest.mark.parametrize("start", ["4", "-1", "00009", "", "x", "1.0", "9" * 400, "\u0663"])
def test_a_start_that_is_no_frame_is_refused(tmp_path, start):
    for path in (write_sequence(tmp_path), write_video(tmp_path / "clip.mp4", num_frames=4)):
        with pytest.raises(ValueError, match=rf"{path}: .* up to 3, found .*--start"):
            open_sequence(path, tmp_path / "mine.png", start)


def test_annotations_before_the_first_object_are_skipped(tmp_path):
    folder = write_sequence(tmp_path, masks=(0, 1, 2, 3))
    masks = tmp_path / "Annotations/bike"
    for name in ("00000", "00001"):
        Image.new("L", (16, 12)).save(masks / f"{name}.png")
    sequence = open_sequence(folder)
    assert (sequence.num_skipped, list(sequence.annotations)) == (2, [0, 1])
    assert all(word in sequence.notes[0] for word in ("start: 00002", "2 masks"))
    Image.new("L", (16, 12), 1).save(masks / "00001.png")
    (note,) = open_sequence(folder).notes
    assert all(word in note for word in ("start: 00001", "00000.png shows no object"))


def test_what_is_no_sequence_is_refused(tmp_path):
    folder = write_sequence(tmp_path, masks=(0, 2))
    refuse(r"frame 1, .*--mask FILE", open_sequence, folder, start="1")
    (folder / "00002.jpg").unlink()
    refuse(r"00002\.png: expected the name of a frame", open_sequence, folder)
    for name in ("dog2", "dog10"):
        write_sequence(tmp_path, name)
    refuse(rf"{tmp_path}: .* 3: bike, dog2, dog10; give one of them", open_sequence, tmp_path)
    (tmp_path / "empty/JPEGImages").mkdir(parents=True)
    refuse(r"JPEGImages: expected a folder of frames", open_sequence, tmp_path / "empty")
