"""Models and clips for the tests of whole videos."""

import functools

import numpy as np
import pytest

import mavos_jax
from mavos_jax.commands.parser import load_config
from mavos_jax.inference.video import stream_masks
from mavos_jax.models.mavos import build_model, init_variables


@pytest.fixture(scope="session")
def tiny():
    """A small model with fresh weights, labels fused as released: (model, variables)."""
    words = "--inference.chunk_frames 4 --memory.on_label fuse"
    smaller = "--elstt.num_blocks 1 --encoder.depths 1 1 1"  # which compiles in less time
    model = build_model(load_config("configs/tiny.py", f"{words} {smaller}".split()))
    return model, init_variables(model)


@pytest.fixture(scope="session")
def segment(tiny):
    return functools.partial(mavos_jax.segment_video, *tiny)


@pytest.fixture(scope="session")
def stream(tiny):
    return functools.partial(mavos_jax.stream_video, *tiny)


@pytest.fixture(scope="session")
def stream_in_chunks(tiny):
    return functools.partial(stream_masks, *tiny)


@pytest.fixture(scope="session")
def clip():
    """Frames [14, 50, 66, 3] and the first mask, two objects with ids 3 and 8."""
    random = np.random.RandomState(0)
    coarse = random.randint(0, 255, (14, 5, 7, 3))
    frames = np.kron(coarse, np.ones((1, 10, 10, 1))).astype(np.uint8)[:, :, :66]
    frames += random.randint(0, 20, frames.shape).astype(np.uint8)
    mask = np.zeros((50, 66), np.uint8)
    mask[10:30, 8:30] = 8
    mask[25:45, 35:60] = 3
    return frames, mask


@pytest.fixture(scope="session")
def late_label():
    """A mask [50, 66] of eleven new objects, ids 20..30."""
    label = np.zeros((50, 66), np.uint8)
    for i in range(11):
        label[4 * i : 4 * i + 4, 5 * i : 5 * i + 6] = 20 + i
    return label
