import functools

import jax
import numpy as np
import pytest
from refusals import refuse
from small_configs import vary
from video_sets import draw_whole

from mavos_jax.generated.video import SyntheticVideo
from mavos_jax.inference.dispatch import Options, run
from mavos_jax.inference.geometry import Sizes, geometries
from mavos_jax.inference.programs import segment_chunks, start_videos
from mavos_jax.inference.source import Video
from mavos_jax.inference.video import segment_batch, segment_video
from mavos_jax.models.mavos import build_model

# Lengths that end inside a chunk, at its end and in another chunk than the longest.
LENGTHS, OBJECTS = (13, 9, 4), (2, 3, 2)


@pytest.fixture(scope="module")
def clips():
    return [
        draw_whole(SyntheticVideo(seed, length, height=48, width=72, num_objects=objects))
        for seed, (length, objects) in enumerate(zip(LENGTHS, OBJECTS, strict=True), start=3)
    ]


@pytest.fixture(scope="module")
def inputs(clips):
    return [clip.frames for clip in clips], np.stack([clip.masks[0] for clip in clips])


def test_videos_in_a_batch_get_the_masks_that_they_get_alone(tiny, clips, inputs):
    model, variables = tiny
    frames, masks = inputs

    def breaks():
        yield from frames[2]
        raise OSError("the disk is gone")

    videos = map(Video, [*frames[:2], breaks()], masks)
    options = Options(model.config.memory.gap, model.config.inference.chunk_frames)
    steps = run(model, variables, [*videos], options)
    out = [next(steps) for _ in range(LENGTHS[0])]
    # The error of one has waited for the others.
    with pytest.raises(OSError, match="the disk is gone"):
        next(steps)
    for number, clip in enumerate(clips):
        found = [result[0] for step in out if (result := step[number]) is not None]
        alone = segment_video(model, variables, clip.frames, clip.masks[0])
        assert len(found) == len(alone)
        assert all(step[number] is None for step in out[len(alone) :])
        # Sums in another order may turn a pixel whose two best identities are equally likely.
        assert np.mean(found != alone) < 1e-3


@pytest.mark.campaign
def test_a_bank_that_grows_grows_for_all(tiny, inputs):
    model, variables = tiny
    bank = {"policy": "bank", "capacity": 16, "gap": 1}
    configs = (vary(model.config, memory=bank | {"grows": grows}) for grows in (True, False))
    growing, fixed = (segment_batch(build_model(x), variables, *inputs) for x in configs)
    for masks, expected in zip(growing, fixed, strict=True):
        assert (masks != expected).mean() < 1e-3


def test_the_schedule_stays_a_branch(tiny):
    model, variables = tiny
    size = (48, 64)
    views = geometries(model.config, Sizes(size, size))

    def branches(videos):
        frames = np.zeros((videos, 4, *size, 3), np.uint8)
        start = functools.partial(start_videos, model, groups=1, identities=3)
        states = jax.eval_shape(start, variables, views, frames[:, 0], frames[:, 0, ..., 0])
        scalars = np.int32(4), np.ones(videos, np.int32), np.int32(5)
        inputs = model, variables, views, states, frames, None, scalars
        traced = segment_chunks.trace(*inputs, identities=3, logits_form="none")
        return str(traced.jaxpr).count("cond[")

    # A mapped schedule would compute the write of every frame and throw most of them away.
    assert branches(2) == branches(1) > 0


def test_wrong_arguments_are_named(tiny, inputs):
    frames, masks = inputs
    cases = [
        (([], []), {}, "videos: expected at least one video"),
        ((frames, masks[:2]), {}, "masks: expected 3, one for each video, found 2"),
        ((frames, masks), {"num_objects": [2]}, "num_objects: expected 3"),
        (([frames[0], frames[1][:, :32]], masks[:2]), {}, r"videos\[1\]: expected frames of 48x72"),
        (([frames[0], []], masks[:2]), {}, r"videos\[1\]: frames: expected at least one"),
        ((frames[:2], [masks[0], 0 * masks[1]]), {}, r"masks\[1\]: expected at least one object"),
        ((frames[:2], [masks[0], masks[1][:8]]), {}, r"masks\[1\]: expected 48x72 pixels"),
    ]
    for arguments, options, message in cases:
        refuse(message, segment_batch, *tiny, *arguments, **options)
