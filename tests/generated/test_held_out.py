import json

import numpy as np
import pytest
import select_held_out

from mavos_jax.config.data import SourceConfig
from mavos_jax.datasets import open_source
from mavos_jax.evaluation.one_video import DEMONSTRATION
from mavos_jax.generated import sets as held_out
from mavos_jax.generated.sets import GeneratedSet

SAMPLE = (0, 17, 46)


@pytest.fixture(scope="module")
def listed():
    return held_out.manifest()


@pytest.fixture(scope="module")
def sample():
    """Videos of a few clips with their masks."""
    videos = [held_out.held_out_videos()[number] for number in SAMPLE]
    return [(v, np.stack([v.mask(index) for index in range(len(v))])) for v in videos]


def test_no_training_draws_a_held_out_clip_or_the_demonstration(listed):
    seeds = [clip["seed"] for clip in listed["clips"]]
    assert len(set(seeds)) == len(seeds) == select_held_out.NUM_CLIPS
    assert all(seed in held_out.HELD_OUT_SEEDS for seed in seeds)
    training = open_source(SourceConfig(num_videos=len(held_out.TRAINING_SEEDS)))
    assert isinstance(training, GeneratedSet)
    drawn = range(training[0].video.seed, training[-1].video.seed + 1)
    assert drawn == held_out.TRAINING_SEEDS
    assert drawn.stop <= held_out.HELD_OUT_SEEDS.start
    assert DEMONSTRATION.seed == 0
    assert 0 not in drawn
    assert 0 not in held_out.HELD_OUT_SEEDS


def test_the_videos_are_those_of_the_manifest(listed):
    videos, clips = held_out.held_out_videos(), listed["clips"]
    assert [(v.seed, v.num_objects) for v in videos] == [
        (clip["seed"], clip["num_objects"]) for clip in clips
    ]
    assert {(len(v), v.height, v.width) for v in videos} == {(24, 192, 192)}
    assert {v.num_objects for v in videos} <= {2, 3, 4}
    assert np.mean([clip["copy_first"] for clip in clips]) < 0.3  # copying the first mask is no way


def test_the_events_are_in_the_masks(listed, sample):
    for (video, masks), number in zip(sample, SAMPLE, strict=True):
        clip = listed["clips"][number]
        assert np.bincount(masks[0].ravel())[1:].min() >= select_held_out.MIN_FIRST_AREA
        for absence in clip["absences"]:
            area = (masks == absence["object"]).sum((1, 2))
            assert area[absence["first"] - 1] > 0
            assert not area[absence["first"] : absence["last"] + 1].any()
            assert area[absence["returned"]] >= select_held_out.MIN_RETURN
        for likeness in clip["lookalikes"]:
            assert video.scene.bodies[likeness["body"]].original == likeness["object"] - 1


def test_the_generator_still_draws_the_listed_clips(listed):
    for number in SAMPLE:
        clip = listed["clips"][number]
        video = held_out.held_out_video(clip["seed"], clip["num_objects"])
        assert json.loads(json.dumps(select_held_out.describe(video))) == clip


def test_the_selection_is_repeatable(listed):
    selected = select_held_out.select(2)
    assert selected["clips"] == listed["clips"][:2]
    assert all(selected[name] == listed[name] for name in ("generator", "recipe"))
