"""The memory: fixed shapes, where frames go, and what a bank drops."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mavos_jax.config import MemoryConfig
from mavos_jax.models.attention import MASKED
from mavos_jax.models.memory import (
    KeyValue,
    dynamic_part,
    long_term_bias,
    put_frame,
    start_memory,
)

TOKENS = 3


def frame(number):
    """A frame whose keys and values all say which one it is."""
    return (KeyValue(jnp.full((TOKENS, 2), float(number)), jnp.full((TOKENS, 4), float(number))),)


def frames_held(long_term):
    return np.asarray(long_term[0].key[::TOKENS, 0]).tolist()


def test_dynamic_memory_starts_as_the_reference_and_is_replaced():
    config = MemoryConfig()
    memory = start_memory(config, frame(7))
    assert frames_held(memory.long_term) == [7, 7]
    for writes in range(3):
        long_term = put_frame(config, memory.long_term, frame(writes), jnp.int32(writes))
        assert frames_held(long_term) == [writes, 7]
        assert frames_held(dynamic_part(long_term, TOKENS)) == [writes]


def test_bank_keeps_the_reference_and_drops_the_oldest_write():
    config = MemoryConfig(policy="bank", capacity=3)
    memory = start_memory(config, frame(9))
    long_term, held = memory.long_term, []
    for writes in range(4):
        long_term = put_frame(config, long_term, frame(writes + 1), jnp.int32(writes))
        held.append(frames_held(long_term))
    assert held == [[9, 1, 0], [9, 1, 2], [9, 3, 2], [9, 3, 4]]


@pytest.mark.parametrize(("writes", "in_use"), [(0, 1), (1, 2), (2, 3), (3, 3), (50, 3)])
def test_bank_masks_the_frames_that_are_not_in_use(writes, in_use):
    config = MemoryConfig(policy="bank", capacity=3)
    bias = np.asarray(long_term_bias(config, jnp.int32(writes), TOKENS))
    assert (bias == 0).sum() == in_use * TOKENS
    assert (bias[in_use * TOKENS :] == MASKED).all()


@pytest.mark.parametrize("config", [MemoryConfig(), MemoryConfig(policy="bank", capacity=4)])
def test_shapes_are_fixed_from_the_reference_on(config):
    memory = start_memory(config, frame(1))
    written = jax.eval_shape(
        lambda m: put_frame(config, m.long_term, frame(2), m.num_writes), memory
    )
    assert jax.tree.map(lambda x: (x.shape, x.dtype), written) == jax.tree.map(
        lambda x: (x.shape, x.dtype), memory.long_term
    )
    assert memory.long_term[0].key.shape[0] == config.num_frames * TOKENS
