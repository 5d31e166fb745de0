"""The public API on the released networks against results of the PyTorch code."""

import functools
import json
from pathlib import Path

import numpy as np
import pytest
from seeded_weights import seeded_state_dict

import mavos_jax
from mavos_jax.commands.parser import load_config

LOGITS = 2e-5
"""Largest difference allowed in a logit; masks must be identical."""

NETWORKS = [
    *((name, name) for name in ("mavos", "r50_mavos", "swinb_mavos")),
    *(("deaot_l", "deaotl"), ("aot_l", "aotl")),
]


@functools.lru_cache(maxsize=1)
def seeded_network(config_name, golden_name):
    path = Path(__file__).parents[1] / "goldens" / f"state_dict_{golden_name}.json"
    config = load_config(f"configs/{config_name}.py")
    weights = seeded_state_dict(json.loads(path.read_text()))
    return mavos_jax.build_model(config), mavos_jax.convert_state_dict(config, weights)


CLIPS = [(names, kind) for names in NETWORKS for kind in ("free", "forced")]
# Every network, and with given masks every one again, is a program that takes its time to compile:
# those whose parts the others have are campaigns.
QUICK = {("mavos", "free"), ("mavos", "forced"), ("r50_mavos", "free"), ("swinb_mavos", "free")}


@pytest.mark.parametrize(
    ("names", "kind"),
    [
        pytest.param(*x, marks=[] if (x[0][0], x[1]) in QUICK else pytest.mark.campaign)
        for x in CLIPS
    ],
    ids=lambda x: x if isinstance(x, str) else x[0],
)
def test_logits_and_masks_of_a_clip(goldens, names, kind):
    golden = goldens(f"infer_{names[1]}")
    expected = golden[f"{kind}_logits"].transpose(0, 2, 3, 1)
    num_objects = expected.shape[-1] - 1
    options = {"num_objects": num_objects, "gap": int(golden["gap"]), "return_logits": True}
    given = golden["masks"] if kind == "forced" else None
    video = (*seeded_network(*names), golden["frames"], golden["masks"][0])
    masks, logits = mavos_jax.segment_video(*video, memorise_with=given, **options)
    np.testing.assert_allclose(logits[..., : num_objects + 1], expected, atol=LOGITS)
    assert (logits[..., num_objects + 1 :] == -1e10).all()
    if kind == "free":
        np.testing.assert_array_equal(masks[1:], golden["free_masks"])
    np.testing.assert_array_equal(masks[0], golden["masks"][0])


@pytest.mark.newest
def test_new_objects_in_mid_video(goldens):
    golden = goldens("newobj_mavos")
    labels = {4: golden["label4"], 7: golden["label7"]}
    video = (*seeded_network("mavos", "mavos"), golden["frames"], golden["mask0"])
    masks = mavos_jax.segment_video(*video, labels=labels, gap=int(golden["gap"]))
    np.testing.assert_array_equal(masks[1:], golden["masks"])


def test_more_objects_than_one_group_holds(goldens):
    golden = goldens("manyobj_mavos")
    video = (*seeded_network("mavos", "mavos"), golden["frames"], golden["mask0"])
    num_objects, gap = int(golden["num_objects"]), int(golden["gap"])
    masks, logits = mavos_jax.segment_video(
        *video, num_objects=num_objects, gap=gap, return_logits=True
    )
    np.testing.assert_array_equal(masks[1:], golden["masks"])
    expected = golden["merged_logits"].transpose(0, 2, 3, 1)
    np.testing.assert_allclose(logits, expected, atol=LOGITS)
