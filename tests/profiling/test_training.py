import json

import pytest
from refusals import refuse

from mavos_jax.profiling.training import main


@pytest.mark.campaign
def test_rematerialising_saves_memory(tmp_path, capsys):
    (tmp_path / "small.py").write_text("from training.stand_in import CONFIG as config\n")
    options = f"--config {tmp_path / 'small.py'} --repeats 2 --loader_seconds 0.5"
    longer = "--data.clip_frames 6 --data.crop 65"
    main([*options.split(), *longer.split(), "--json", str(tmp_path / "rows.json")])
    report = json.loads((tmp_path / "rows.json").read_text())
    plain, rematerialised = report["rows"]
    assert [row["rematerialised"] for row in report["rows"]] == [False, True]
    for row in report["rows"]:
        assert row["frames_per_second"] == pytest.approx(6 / row["step_s"][0])
        assert row["precision"] == "float32"
    assert rematerialised["temporary_MB"] < 0.7 * plain["temporary_MB"]
    assert report["loader_frames_per_second"] > 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("small_mobilenet, clips of 6 frames of 65x65 pixels")
    assert lines[1].split()[:3] == ["batch", "rematerialised", "precision"]


def test_a_configuration_is_asked_for():
    refuse("expected --config FILE", main, [])
