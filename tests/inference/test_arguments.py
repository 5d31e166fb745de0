import functools

import jax
import numpy as np
import pytest
from programs import run_python
from refusals import refuse

import mavos_jax
from mavos_jax.inference.source import checked_gap

SHAPE = (50, 66)
LABEL = np.zeros(SHAPE, np.uint8)
REFUSED = [
    ({"frames": np.zeros((0, *SHAPE, 3), np.uint8)}, "frames: expected at least one frame"),
    ({"frames": np.zeros((2, *SHAPE, 3))}, r"frame 0: .*uint8 RGB \[H, W, 3\].* float64"),
    ({"frames": np.zeros((2, *SHAPE, 4), np.uint8)}, r"frame 0: .* uint8 \[50, 66, 4\]"),
    ({"mask": np.ones((66, 50), np.uint8)}, "mask: .*50x66 .* 66x50"),
    ({"mask": np.zeros(SHAPE, np.uint8)}, "mask: .*at least one object"),
    ({"mask": np.full(SHAPE, 255)}, "mask: .*at least one object"),
    ({"mask": np.full(SHAPE, 256)}, r"mask: .*1\.\.254"),
    ({"num_objects": 7}, r"mask: .*num_objects = 7.* \[8\]"),
    ({"num_objects": 0}, "num_objects: .*1 to 254.* 0"),
    ({"gap": 0}, "gap: .*at least 1.* 0"),
    ({"labels": {14: np.ones(SHAPE, np.uint8)}}, r"labels: .*1\.\.13.* \[14\]"),
    ({"labels": {0: np.ones(SHAPE, np.uint8)}}, "labels: .*from 1 on.* 0"),
    ({"labels": {2: np.ones((5, 66), np.uint8)}}, r"labels\[2\]: .*50x66 .* 5x66"),
    ({"memorise_with": np.zeros((3, *SHAPE), np.uint8)}, "memorise_with: .*14 masks.* 3"),
    ({"memorise_with": np.full((14, *SHAPE), 5)}, r"memorise_with\[1\]: .*\[5\]"),
]


@pytest.mark.parametrize(("change", "message"), REFUSED)
def test_bad_arguments(segment, clip, change, message):
    frames, mask = clip
    refuse(message, segment, **{"frames": frames, "mask": mask} | change)


@pytest.mark.parametrize(
    ("heights", "options", "message"),
    [
        ([50, 50, 49], {}, "frame 2: .*50x66 .* 49x66"),
        ([], {}, "frames: expected at least one frame"),
        ([50, 50], {"labels": {3: LABEL}}, r"labels: .*1\.\.1.* \[3\]"),
        ([50] * 6, {"memorise_with": [LABEL] * 5}, r"memorise_with\[5\]: .*every"),
    ],
)
def test_bad_streams(stream, clip, heights, options, message):
    frames, mask = clip
    frames = [frames[0, :height] for height in heights]
    refuse(message, lambda: list(stream(frames, mask, **options)))


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


# Without the hook that checks annotations in tests, as users call the functions.
CALLS = """
import functools, pathlib, numpy as np, mavos_jax as m
config = m.load_config("configs/tiny.py")
model = m.build_model(config)
frames, mask = np.zeros((2, 32, 32, 3), np.uint8), np.ones((32, 32), np.uint8)
path = pathlib.Path("clip.mp4")

class Tensor:
    def __array__(self, *_, **__):
        raise TypeError("it lies on\\nanother device")

video = {"model": model, "variables": {}, "frames": frames, "mask": mask}
segment = functools.partial(m.segment_video, **video)
stream = lambda **change: next(m.stream_video(**(video | change)))
videos = {"videos": np.stack([frames, frames]), "masks": np.stack([mask, mask])}
batch = functools.partial(m.segment_batch, model=model, variables={}, **videos)
calls = {
    "gap": [lambda: segment(gap=2.5), lambda: stream(gap="2"), lambda: batch(gap=0)],
    "num_objects": [lambda: segment(num_objects=8.0), lambda: batch(num_objects=2)],
    "frame 0": [lambda: segment(frames=[Tensor()]), lambda: stream(frames=[Tensor()])],
    "frames": [
        lambda: segment(frames=(x for x in frames)), lambda: segment(frames=str(path)),
        lambda: segment(frames=path), lambda: stream(frames=path), lambda: stream(frames=None),
        lambda: segment(frames={1, 2}),
    ],
    "mask": [
        lambda: segment(mask="first.png"), lambda: stream(mask=None), lambda: stream(mask=path),
        lambda: segment(mask=Tensor()), lambda: segment(mask=Tensor(), return_logits=True),
    ],
    "labels": [
        lambda: segment(labels=[mask]), lambda: stream(labels=mask),
        lambda: stream(labels={"1": mask}),
    ],
    "memorise_with": [lambda: segment(memorise_with=3)],
    "model": [lambda: segment(model=config), lambda: stream(model={}), lambda: batch(model="tiny")],
    "variables": [lambda: segment(variables=model), lambda: batch(variables=None),
                  lambda: segment(variables={}), lambda: batch(variables={"params": {"a": {}}}),
                  lambda: stream(variables={"params": {"encoder": {"stem": {"kernel": mask}}}})],
    "videos": [lambda: batch(videos=path), lambda: batch(videos=["a.mp4", "b.mp4"])],
    "masks": [
        lambda: batch(masks="first.png"), lambda: batch(masks=None),
        lambda: batch(masks=["a", "b"]),
    ],
    "path": [lambda: m.load(3), lambda: m.save(None, config, {}), lambda: m.load_config(None)],
    "config": [
        lambda: m.build_model("configs/tiny.py"), lambda: m.save("x", {}, config),
        lambda: m.convert_state_dict("tiny", {}), lambda: m.to_state_dict({}, config),
    ],
    "state": [lambda: m.convert_state_dict(config, "mavos.pth")],
    "overrides": [lambda: m.load_config("configs/tiny.py", "--memory.gap 5"),
                  lambda: m.load_config("configs/tiny.py", ["--memory.gap", 5])],
    "folder": [lambda: m.load_default("weights")],
}
for name, functions in calls.items():
    for number, function in enumerate(functions):
        text = "no error"
        try:
            function()
        except ValueError as error:
            text = str(error)
        is_named = text.startswith((f"{name}:", f"{name}["))
        assert is_named and "\\n" not in text, (name, number, text)
"""


def test_arguments_of_other_types_are_named():
    run_python("-c", CALLS)


def test_64_bit_mode_changes_nothing(segment, clip):
    frames, mask = clip
    masks = segment(frames[:3], mask)
    with jax.enable_x64(True):
        np.testing.assert_array_equal(segment(frames[:3], mask), masks)


def test_the_state_fits_a_64_bit_program(tiny, segment, clip):
    model, variables = tiny
    frames, mask = clip[0][:3], np.where(clip[1] == 255, 255, clip[1] > 0).astype(np.uint8)

    @jax.jit
    def run(variables, first, mask, others):
        state = mavos_jax.init_state(model, variables, first, mask, num_objects=1)
        step = functools.partial(mavos_jax.step, model, variables)
        return jax.lax.scan(step, state, others)[1].mask

    with jax.enable_x64(True):
        masks = run(variables, frames[0], mask, frames[1:])
    assert (masks == segment(frames, mask)[1:]).mean() > 0.999


def test_a_gap_longer_than_any_video_is_one_without_writes(tiny):
    assert checked_gap(tiny[0], 10**30) == checked_gap(tiny[0], 2**31 - 1) == 2**31 - 1
