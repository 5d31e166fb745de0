from typing import get_args, get_type_hints

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mavos_jax.config import MemoryConfig
from mavos_jax.models.attention import MASKED
from mavos_jax.models.memory import KeyValue, long_term_bias, put_frame, start_memory, with_room_for

TOKENS = 3
CAPACITY = 4
HELD = {
    "mca": [[9, 9], [1, 9], [2, 9], [3, 9], [4, 9]],
    "reference": [[9]] * 5,
    "previous": [[9], [1], [2], [3], [4]],
    "reference_previous": [[9], [9, 1], [9, 2], [9, 3], [9, 4]],
    "bank": [[9], [9, 1], [9, 1, 2], [9, 1, 2, 3], [9, 4, 2, 3]],
}


def frame(number):
    """A frame whose keys and values all say which one it is."""
    key, value = (jnp.full((TOKENS, width), number, jnp.float32) for width in (2, 4))
    return (KeyValue(key, value),)


def write(config, memory, new):
    long_term, num_writes = put_frame(config, memory, new)
    return memory._replace(long_term=long_term, num_writes=num_writes)


def frames_held(config, memory):
    """The frames that get weight, by their numbers."""
    bias = long_term_bias(config, memory, TOKENS)
    key = np.asarray(memory.long_term[0].key[:, 0])
    in_use = np.ones(len(key), bool) if bias is None else np.asarray(bias) == 0
    assert bias is None or (np.asarray(bias)[~in_use] == MASKED).all()
    assert in_use.sum() % TOKENS == 0
    return key[in_use][::TOKENS].tolist()


@pytest.mark.parametrize("policy", get_args(get_type_hints(MemoryConfig)["policy"]))
def test_frames_that_each_policy_holds(policy):
    config = MemoryConfig(policy=policy, capacity=CAPACITY)
    memory = start_memory(config, frame(9))
    shapes, held = jax.eval_shape(lambda: memory), [frames_held(config, memory)]
    for number in range(1, 5):
        memory = write(config, memory, frame(number))
        held.append(frames_held(config, memory))
        assert jax.eval_shape(lambda memory=memory: memory) == shapes
    assert held == HELD[policy]
    assert memory.num_writes == (0 if policy == "reference" else 4)
    num_frames = CAPACITY if policy == "bank" else len(held[-1])
    assert memory.long_term[0].key.shape[0] == num_frames * TOKENS


@pytest.mark.parametrize(
    ("capacity", "expected"), [(2, {2}), (3, {3}), (4, {4}), (6, {4, 6}), (64, {4, 8, 16, 32, 64})]
)
def test_room_doubles_up_to_the_capacity(capacity, expected):
    config = MemoryConfig(policy="bank", capacity=capacity, grows=True)
    found = [with_room_for(config, frames).capacity for frames in range(1, 2 * capacity)]
    assert set(found) == expected
    assert all(room >= min(frames, capacity) for frames, room in enumerate(found, start=1))
