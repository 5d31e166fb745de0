import pytest

from mavos_jax.evaluation.speeds import set_speeds


def test_speeds_over_frames_and_over_sequences_of_the_protocols_that_all_have():
    short, long = {"aot": (10, 1.0), "xmem": (11, 1.0)}, {"aot": (30, 1.0)}
    speeds = set_speeds([short, long])
    assert set(speeds) == {"aot"}
    assert speeds["aot"].all_frames == pytest.approx(40 / 2)
    assert speeds["aot"].all_sequences == pytest.approx(1 / ((1 / 10 + 1 / 30) / 2))
