import dataclasses
import itertools

import jax
import numpy as np
import pytest
from refusals import refuse
from small_configs import vary
from training.device_campaign import SMALL
from training.stand_in import CONFIG, changed, fail_writes, lines, parameters, same, saved_steps
from video_sets import BoxSet

from mavos_jax.checkpoints.description import read_description, scores_in
from mavos_jax.checkpoints.weights import load, save
from mavos_jax.datasets import SequenceFiles
from mavos_jax.datasets.files import FileSet
from mavos_jax.generated.video import SyntheticVideo
from mavos_jax.media.masks import read_mask
from mavos_jax.models.mavos import build_model, init_variables
from mavos_jax.training import loop
from mavos_jax.training.devices import build_step, replicate
from mavos_jax.training.validation import Score


def test_four_steps_are_two_and_two_with_the_true_step(tmp_path, monkeypatch):
    save(tmp_path / "weights", SMALL, init_variables(build_model(SMALL)))
    # The program is that of the tests of one step, which is compiled once for all of them.
    data = dataclasses.replace(CONFIG.data, clip_frames=SMALL.data.clip_frames)
    fields = {"loop": CONFIG.training.loop, "start": str(tmp_path / "weights")}
    config = vary(SMALL, data=data, training=fields)
    one = jax.devices()[:1]
    step = build_step(config, one)  # once for all three runs, because it takes long to compile
    monkeypatch.setattr(loop, "replicate", lambda state: replicate(state, one))
    monkeypatch.setattr(loop.StopRequest, "reached", lambda _, step: step == 4)

    def limited(state, batch):
        if int(state.step[0]) == 2:
            raise InterruptedError("as if the process had died")
        return step(state, batch)

    monkeypatch.setattr(loop, "build_step", lambda _: limited)
    with pytest.raises(InterruptedError):
        loop.train(config, tmp_path / "parts")
    monkeypatch.setattr(loop, "build_step", lambda _: step)
    for name in ("parts", "whole"):
        loop.train(config, tmp_path / name)
    parts, whole = tmp_path / "parts", tmp_path / "whole"
    assert same(parameters(parts, config), parameters(whole, config))
    for name in ("step", "loss", "rate"):
        found, expected = ([line[name] for line in lines(run)] for run in (parts, whole))
        assert found == expected
        assert len(found) == 4


def test_a_run_goes_on_with_another_number_of_loader_processes(tmp_path, run):
    run(CONFIG, tmp_path / "whole")
    with pytest.raises(RuntimeError):
        run(CONFIG, tmp_path / "parts", fails_at=3)
    run(changed({"workers": 1, "prefetch": 1}), tmp_path / "parts")
    assert same(parameters(tmp_path / "whole"), parameters(tmp_path / "parts"))


def test_what_happens_every_so_many_steps(tmp_path, run, monkeypatch, capsys):
    monkeypatch.setattr(
        loop, "build_prediction", lambda _: lambda state, batch: np.zeros_like(batch.masks[0])
    )
    config = changed(steps=5, log_every=2, picture_every=2, evaluate_every=3, save_every=4)
    run(config, tmp_path)
    found = [f"{line['kind']} {line['step']}" for line in lines(tmp_path)]
    assert found == ["train 2", "evaluation 3", "train 4", "train 5", "evaluation 5"]
    assert set(saved_steps(tmp_path)) >= {4, 5}
    assert 5 in scores_in(tmp_path / "checkpoints")
    pictures = sorted(x.name for x in (tmp_path / "pictures").iterdir())
    assert pictures == ["clip_00000002.png", "clip_00000004.png"]
    train, evaluation = lines(tmp_path)[-2:]
    names = "loss frame_losses frame_ious rate gradient_norm skipped damaged host_gb"
    rates = "clips_per_second frames_per_second data_seconds data_share"
    assert {*names.split(), *rates.split()} <= set(train)
    assert evaluation["J&F"] == (evaluation["J"] + evaluation["F"]) / 2
    assert "step 5/5  train: loss" in capsys.readouterr().out
    assert load(tmp_path)[0].config == config


def test_training_stops_when_nothing_is_finite_any_more(tmp_path, run):
    words = f"{tmp_path}.* 3 steps before step .*checkpoint of step 5 is kept"
    with pytest.raises(loop.Diverged, match=words):
        run(changed(steps=50, save_every=1, keep=1), tmp_path, bad_steps=range(4, 50))
    assert saved_steps(tmp_path) == [5]  # half of the limit is not more than half
    assert [line["skipped"] for line in lines(tmp_path)] == [0, 0, 0, 0, 1, 1]


def test_another_configuration_is_refused_and_harmless_changes_are_not(tmp_path, run):
    with pytest.raises(RuntimeError):
        run(CONFIG, tmp_path, fails_at=3)
    other = changed(seed=1, steps=5)
    refuse(r"training\.seed: 0 there, 1 asked for; training\.steps", run, other, tmp_path)
    sources = (dataclasses.replace(CONFIG.data.sources[0], num_videos=21),)
    other = changed({"sources": sources})
    refuse(r"data\.sources\.0\.num_videos: 20 there, 21 asked", run, other, tmp_path)
    harmless = {"accumulate": 2, "start": "elsewhere", "fresh": ("decoder",)}
    run(changed(log_every=3, save_every=1, keep=5, **harmless), tmp_path)
    assert [line["step"] for line in lines(tmp_path)] == [1, 2, 3, 4]


def test_other_data_are_refused_and_other_sizes_are_told(tmp_path, run, monkeypatch, capsys):
    def run_with(fingerprint):
        videos = BoxSet()
        monkeypatch.setattr(videos, "fingerprint", lambda: fingerprint)
        monkeypatch.setattr(loop, "open_source", lambda *_: videos)
        run(CONFIG, tmp_path)
        return capsys.readouterr().out

    assert "data: boxes: 12 videos, 100.0% of the clips\n" in run_with("names.sizes")
    assert f"{tmp_path / 'checkpoints' / '4'}: " in run_with("names.restored")
    refuse(r"fingerprint .* found others \(others.sizes\)", run_with, "others.sizes")


def test_damaged_samples_are_counted(tmp_path, run, monkeypatch, capsys):
    monkeypatch.setattr(loop, "open_source", lambda *_: BoxSet(length=2, damaged=(0,)))
    run(changed({"skip_damaged": True}, log_every=4), tmp_path)
    num_told = capsys.readouterr().out.count("damaged sample left out: boxes/000.jpg: expected an")
    assert lines(tmp_path)[0]["damaged"] == num_told > 0


@pytest.mark.parametrize(
    ("name", "after", "error", "saved"),
    [
        ("_next_batch", 3, OSError("the disk of the data is gone"), 3),
        ("evaluate", 1, ValueError("a held-out video is damaged"), 2),
        ("evaluate", 1, KeyboardInterrupt("as if the process were killed"), 2),
        ("_write_metrics", 2, OSError("no room for metrics"), 3),
    ],
)
def test_what_fails_beside_the_steps_costs_no_step(
    tmp_path, run, monkeypatch, name, after, error, saved
):
    place = loop if name == "evaluate" else loop._Run
    method, calls = getattr(place, name), itertools.count()

    def failing(*arguments):
        if next(calls) >= after:
            raise error
        return method(*arguments)

    monkeypatch.setattr(place, name, failing)
    config = changed(save_every=1000, evaluate_every=1 if name == "evaluate" else 0)
    with pytest.raises(type(error), match=str(error)):
        run(config, tmp_path)
    assert saved_steps(tmp_path)[-1] == saved
    monkeypatch.undo()
    run(CONFIG, tmp_path)
    run(CONFIG, whole := tmp_path.with_name(f"{tmp_path.name}-whole"))
    assert same(parameters(tmp_path), parameters(whole))


def test_a_lost_checkpoint_is_made_up_for_soon(tmp_path, run, monkeypatch, capsys):
    fail_writes(monkeypatch, 1, OSError("a network that is away"))
    run(changed(steps=30, save_every=10, log_every=1, keep=9), tmp_path, seconds=0.15)
    early, *rest = saved_steps(tmp_path)
    assert 11 <= early <= 20  # 20 where the machine was too slow to notice before
    assert rest == [step for step in (20, 30) if step > early]
    assert "step 10 could not be saved" in capsys.readouterr().out


def test_the_last_checkpoint_is_tried_twice(tmp_path, run, monkeypatch):
    fail_writes(monkeypatch, 1, OSError("a network that is away"))
    run(changed(save_every=1000), tmp_path)
    assert saved_steps(tmp_path) == [4]


def test_held_out_videos_are_looked_at_first(tmp_path, run, monkeypatch, capsys):
    monkeypatch.setattr(loop, "evaluate", lambda *_: None)
    held_out = {"held_out": CONFIG.data.sources[0]}
    run(changed(held_out, evaluate_every=4), tmp_path / "same")
    assert "data.held_out: synthetic train is trained on" in capsys.readouterr().out
    monkeypatch.setattr("mavos_jax.generated.sets._NUM_FRAMES", 2)
    words = r"data\.held_out: expected videos of at least 3 frames .* found 2 shorter: synthetic"
    refuse(words, run, changed(evaluate_every=4), tmp_path / "short")
    assert not (tmp_path / "short").exists()
    monkeypatch.setattr("mavos_jax.generated.sets._NUM_FRAMES", 3)
    monkeypatch.setattr(SyntheticVideo, "mask", lambda *_: read_mask(tmp_path / "0.png"))
    refuse("0.png: expected a mask", run, changed(evaluate_every=4), tmp_path / "masks")
    assert not (tmp_path / "masks").exists()


def test_scores_that_are_wanting_or_do_not_count_are_told(tmp_path, run, monkeypatch, capsys):
    found = iter((None, Score(0.5, 0.7, 3), None))
    monkeypatch.setattr(loop, "evaluate", lambda *_: next(found))
    run(changed(evaluate_every=4), tmp_path)
    for videos in (2, 2):  # the last evaluation, which was given up, is made up for, once
        run(changed(evaluate_every=4, evaluate_videos=videos), tmp_path)
    output = capsys.readouterr().out
    assert "checkpoints/4: was not scored" in output
    assert "complete: 4 of 4 steps" in output
    assert [line["step"] for line in lines(tmp_path)] == [1, 2, 3, 4, 4]
    assert output.count("scores of this and earlier steps are not compared") == 1
    assert read_description(tmp_path).title == "small_mobilenet, step 4, J&F 60.0"


def test_frames_that_are_not_read_are_counted(tmp_path, capsys):
    files = tuple(tmp_path / f"{number}.png" for number in range(3))
    sequence = SequenceFiles("a", files, truth=dict(enumerate(files)), num_unmasked=5)
    loop._describe_sources(CONFIG, [FileSet("folder train", (sequence,), "ids", 5)])
    assert "folder train: 1 videos, 5 of 8 frames without masks" in capsys.readouterr().out
