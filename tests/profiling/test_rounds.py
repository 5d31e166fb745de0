"""Measuring in turns."""

import itertools

from small_configs import MOBILENET

from mavos_jax.profiling.precision import available, with_precision
from mavos_jax.profiling.rounds import measure_in_turns


def test_everything_takes_its_turn_in_every_round():
    order, clock = [], itertools.count()

    def sampler(name):
        def sample():
            order.append(name)
            return {"value": float(next(clock))}

        return sample

    found = measure_in_turns({name: sampler(name) for name in "ab"}, repeats=3)
    assert order == ["a", "b"] * 4
    # The first round does not count: a is called at 2, 4 and 6.
    assert found["a"]["value"] == (4.0, 2.0, 6.0)
    assert found["b"]["value"] == (5.0, 3.0, 7.0)


def test_tf32_is_float32_on_a_cpu():
    precisions, note = available(("tf32", "bfloat16", "float32"))
    assert precisions == ("float32", "bfloat16")
    assert note is not None
    assert "tf32" in note
    assert available(("bfloat16",)) == (("bfloat16",), None)


def test_a_precision_is_that_of_the_configuration():
    computes = [
        with_precision(MOBILENET, name).inference.precision
        for name in ("float32", "bfloat16", "tf32")
    ]
    assert computes == ["float32", "bfloat16", "tf32"]
