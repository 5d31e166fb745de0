from mavos_jax.profiling.measuring import Timing, measure_in_turns, table
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


def test_a_table_has_no_empty_columns():
    rows = [
        {"name": "a", "none": None, "step_s": Timing(1234.5, 0.1234, 2e4)},
        {"name": "long", "none": None, "step_s": 3},
    ]
    lines = table(rows).splitlines()
    assert [line.split() for line in lines] == [
        ["name", "step", "s"],
        ["a", "1,234", "(0.1234", "to", "20,000)"],
        ["long", "3"],
    ]
    assert len({len(line) for line in lines}) == 1
