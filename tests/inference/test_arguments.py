"""What the public functions refuse, and how they say so."""

import numpy as np
import pytest


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"frames": np.zeros((0, 50, 66, 3), np.uint8)}, "frames: expected at least one frame"),
        (
            {"frames": np.zeros((2, 50, 66, 3))},
            r"frame 0: expected uint8 RGB \[H, W, 3\], got floa",
        ),
        ({"frames": np.zeros((2, 50, 66, 4), np.uint8)}, r"got uint8 \[50, 66, 4\]"),
        ({"mask": np.ones((66, 50), np.uint8)}, "mask: expected 50x66 pixels .* got 66x50"),
        ({"mask": np.zeros((50, 66), np.uint8)}, "mask: expected at least one object"),
        ({"mask": np.full((50, 66), 255)}, "mask: expected at least one object"),
        ({"mask": np.full((50, 66), 256)}, r"mask: expected ids in 1\.\.254"),
        ({"num_objects": 7}, r"expected ids up to num_objects = 7, got \[8\]"),
        ({"num_objects": 0}, "num_objects: expected 1 to 254, got 0"),
        ({"gap": 0}, "gap: expected at least 1 frame, got 0"),
        (
            {"labels": {14: np.ones((50, 66), np.uint8)}},
            r"labels: expected frames 1\.\.13, got \[14",
        ),
        ({"labels": {0: np.ones((50, 66), np.uint8)}}, "labels: expected frames from 1 on, got 0"),
        ({"labels": {2: np.ones((5, 66), np.uint8)}}, r"labels\[2\]: expected 50x66 .* got 5x66"),
        ({"memorise_with": np.zeros((3, 50, 66), np.uint8)}, "expected 14 masks, one per frame"),
        (
            {"memorise_with": np.full((14, 50, 66), 5)},
            r"memorise_with\[1\]: expected ids seen .*\[5",
        ),
    ],
)
def test_bad_arguments(segment, clip, change, message):
    frames, mask = clip
    arguments = {"frames": frames, "mask": mask} | change
    with pytest.raises(ValueError, match=message):
        segment(**arguments)


def test_frames_of_changing_size(stream, clip):
    frames, mask = clip
    ragged = [frames[0], frames[1], frames[2][:-1]]
    with pytest.raises(ValueError, match=r"frame 2: expected 50x66 pixels .* got 49x66"):
        list(stream(ragged, mask))


def test_an_empty_stream(stream, clip):
    with pytest.raises(ValueError, match="frames: expected at least one frame, got none"):
        list(stream([], clip[1]))
