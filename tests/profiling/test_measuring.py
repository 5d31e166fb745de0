from mavos_jax.profiling.measuring import measure_in_turns
from mavos_jax.profiling.workload import available


def test_everything_takes_its_turn_in_every_round(capsys):
    order, clock = [], iter([0.0, 0.0, 9.0, 1.0, 2.0, 2.0, 4.0, 9.0])

    def sampler(name):
        def sample():
            order.append(name)
            return {"value": next(clock)}

        return sample

    found = measure_in_turns({name: sampler(name) for name in "ab"}, repeats=3)
    assert order == ["a", "b"] * 4
    # Medians and extremes; the first round does not count.
    assert found["a"]["value"] == (4.0, 2.0, 9.0)
    assert found["b"]["value"] == (2.0, 1.0, 9.0)
    assert "round 3 of 3" in capsys.readouterr().err


def test_tf32_is_float32_on_a_cpu(capsys):
    assert available(("tf32", "bfloat16", "float32")) == ("float32", "bfloat16")
    assert "tf32" in capsys.readouterr().err
    assert available(("bfloat16",)) == ("bfloat16",)
