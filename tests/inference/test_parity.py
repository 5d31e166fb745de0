"""The public API on the released networks against results of the PyTorch code."""

import functools

import numpy as np
import pytest
from seeded_weights import seeded_network

import mavos_jax

LOGITS = 2e-5
"""Largest difference allowed in a logit; masks must be identical."""

# Every network, and with given masks every one again, is a program that takes its time to compile:
# those whose parts the others have are campaigns.
QUICK = [("mavos", "free"), ("mavos", "forced"), ("r50_mavos", "free"), ("swinb_mavos", "free")]
SLOW = [(name, "forced") for name in ("r50_mavos", "swinb_mavos", "deaot_l", "aot_l")]
SLOW += [(name, "free") for name in ("deaot_l", "aot_l")]


@functools.lru_cache(maxsize=1)
def network(name):
    config, variables = seeded_network(name)
    return mavos_jax.build_model(config), variables


@pytest.mark.parametrize(
    ("name", "kind"), [*QUICK, *(pytest.param(*x, marks=pytest.mark.campaign) for x in SLOW)]
)
def test_logits_and_masks_of_a_clip(goldens, name, kind):
    golden = goldens(f"infer_{name.replace('_l', 'l')}")
    expected = golden[f"{kind}_logits"].transpose(0, 2, 3, 1)
    num_objects = expected.shape[-1] - 1
    options = {"num_objects": num_objects, "gap": int(golden["gap"]), "return_logits": True}
    given = golden["masks"] if kind == "forced" else None
    video = (*network(name), golden["frames"], golden["masks"][0])
    masks, logits = mavos_jax.segment_video(*video, memorise_with=given, **options)
    np.testing.assert_allclose(logits[..., : num_objects + 1], expected, atol=LOGITS)
    assert (logits[..., num_objects + 1 :] == -1e10).all()
    num_same = len(masks) if kind == "free" else 2  # given masks change what follows frame 1
    expected = [golden["masks"][0], *golden["free_masks"]]
    np.testing.assert_array_equal(masks[:num_same], expected[:num_same])


@pytest.mark.newest
def test_new_objects_in_mid_video(goldens):
    golden = goldens("newobj_mavos")
    labels = {4: golden["label4"], 7: golden["label7"]}
    video = (*network("mavos"), golden["frames"], golden["mask0"])
    masks = mavos_jax.segment_video(*video, labels=labels, gap=int(golden["gap"]))
    np.testing.assert_array_equal(masks[1:], golden["masks"])


def test_more_objects_than_one_group_holds(goldens):
    golden = goldens("manyobj_mavos")
    video = (*network("mavos"), golden["frames"], golden["mask0"])
    num_objects, gap = int(golden["num_objects"]), int(golden["gap"])
    masks, logits = mavos_jax.segment_video(
        *video, num_objects=num_objects, gap=gap, return_logits=True
    )
    np.testing.assert_array_equal(masks[1:], golden["masks"])
    expected = golden["merged_logits"].transpose(0, 2, 3, 1)
    np.testing.assert_allclose(logits, expected, atol=LOGITS)
