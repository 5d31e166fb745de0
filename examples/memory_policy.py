"""Tries a memory policy of your own: four frames, each about twice as old as the one before it.

python examples/memory_policy.py

A policy is one row of POLICIES. Here the row stands in for ``bank`` while the program runs. To keep
a policy, give it a row and a name of its own: docs/memory.md, "A new policy".
"""

import argparse
import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

import mavos_jax
from mavos_jax.config import InferenceConfig, MemoryConfig
from mavos_jax.generated.video import SyntheticVideo
from mavos_jax.models.memory import POLICIES


def slot(places, num_writes):
    """Write number n replaces place 1 + k, where 2^k is the largest power of two that divides n."""
    n = num_writes + 1
    return 1 + jnp.minimum(31 - jax.lax.clz(n & -n), places - 2)


def in_use(places, num_writes):
    """Place 0 is the reference; write number 2^k is the first to fill place 1 + k."""
    return jnp.minimum(1 + 32 - jax.lax.clz(num_writes), places)


def mean_iou(masks, truth, num_objects):
    ids = range(1, num_objects + 1)
    pairs = [((masks == i) & (truth == i), (masks == i) | (truth == i)) for i in ids]
    return np.mean([both.sum() / max(either.sum(), 1) for both, either in pairs])


def main(num_frames: int, size: int) -> None:
    video = SyntheticVideo(seed=0, num_frames=num_frames, height=size, width=size)
    frames = np.stack(list(video.frames))
    truth = np.stack([video.mask(t) for t in range(num_frames)])

    default, variables = mavos_jax.load_default()
    memories = {
        "the paper's": default.config.memory,
        "your own": MemoryConfig(policy="bank", capacity=5, gap=1),
    }
    POLICIES["bank"] = POLICIES["bank"]._replace(slot=slot, in_use=in_use)
    for name, memory in memories.items():
        config = dataclasses.replace(default.config, memory=memory, inference=InferenceConfig())
        model = mavos_jax.build_model(config)
        masks = mavos_jax.segment_video(model, variables, frames, truth[0])
        print(f"{name}: mean IoU {mean_iou(masks, truth, video.num_objects):.3f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--frames", type=int, default=24)
    parser.add_argument("--size", type=int, default=192, help="height and width, in pixels")
    options = parser.parse_args()
    main(options.frames, options.size)
