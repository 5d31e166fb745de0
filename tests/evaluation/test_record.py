import dataclasses
import json

import pytest

from mavos_jax.evaluation.sequence import SequenceRecord, parse_record, set_speeds

RECORD = SequenceRecord("a", "b", 2, 1, 3, 4, 0.0, {"x": (2, 1.0)}, ("m", 0), {"0": "00"})


def test_records_survive_their_file():
    assert parse_record(json.loads(json.dumps(dataclasses.asdict(RECORD)))) == RECORD


def test_speeds_over_frames_and_over_sequences_of_the_protocols_that_all_have():
    short, long = (
        dataclasses.replace(RECORD, timings=timings)
        for timings in ({"aot": (10, 1.0), "xmem": (11, 1.0)}, {"aot": (30, 1.0)})
    )
    speeds = set_speeds([short, long])
    assert set(speeds) == {"aot"}
    assert speeds["aot"].all_frames == pytest.approx(40 / 2)
    assert speeds["aot"].all_sequences == pytest.approx(1 / ((1 / 10 + 1 / 30) / 2))
    assert set_speeds([]) == {}
