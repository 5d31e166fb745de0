"""What the public functions refuse, and how they say so."""

import subprocess
import sys

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
        ({"gap": 0}, "gap: expected a whole number of frames, at least 1, got 0"),
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


def test_a_stream_with_too_few_masks_to_memorise(stream, clip):
    frames, mask = clip
    given = np.stack([mask] * 5)
    with pytest.raises(ValueError, match=r"memorise_with\[5\]: expected a mask for every frame"):
        list(stream(frames, mask, memorise_with=given))


def test_a_video_of_one_frame(segment, clip):
    frames, mask = clip
    masks, logits = segment(frames[:1], mask, return_logits=True)
    np.testing.assert_array_equal(masks, mask[None])
    assert logits.shape == (0, 13, 17, 11)


@pytest.mark.parametrize(
    "size", [(1, 40), (40, 2), pytest.param((70, 33), marks=pytest.mark.campaign)]
)
def test_videos_of_odd_sizes(segment, size):
    frames = np.random.RandomState(0).randint(0, 255, (3, *size, 3)).astype(np.uint8)
    mask = np.zeros(size, np.uint8)
    mask[: size[0] // 2 + 1, : size[1] // 2] = 254
    masks = segment(frames, mask)
    assert masks.shape == (3, *size)
    assert set(np.unique(masks)) <= {0, 254}


# Without the hook that checks annotations in tests, as users call the function.
CALLS = """
import numpy as np, mavos_jax
model = mavos_jax.build_model(mavos_jax.load_config("configs/tiny.py"))
frames, mask = np.zeros((2, 32, 32, 3), np.uint8), np.ones((32, 32), np.uint8)
for change in ({"gap": 2.5}, {"num_objects": 8.0}, {"frames": (x for x in frames)}):
    try:
        mavos_jax.segment_video(model, {}, **({"frames": frames, "mask": mask} | change))
    except ValueError as error:
        print(error)
"""


def test_arguments_of_other_types():
    command = [sys.executable, "-c", CALLS]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert result.stdout.splitlines() == [
        "gap: expected a whole number of frames, at least 1, got 2.5",
        "num_objects: expected 1 to 254, got 8.0",
        "frames: expected an array or a sequence, got a generator; stream_video takes any iterable",
    ]
