import errno
import functools
import json
import shutil

import jax
import numpy as np
import pytest
from checkpoints.damage import flip
from refusals import refuse
from training.stand_in import CONFIG, same, state_at
from training.stand_in import saved_steps as steps

from mavos_jax.checkpoints import description as descriptions
from mavos_jax.checkpoints.description import read_description
from mavos_jax.checkpoints.weights import load, load_config_of
from mavos_jax.training.resume import newest_whole, read_state
from mavos_jax.training.step import variables_of


@pytest.fixture
def two(tmp_path, save):
    """The folder of the second of two checkpoints."""
    save({1: None, 2: None})
    return tmp_path / "checkpoints" / "2"


def test_a_state_comes_back_bit_for_bit_and_says_where_it_is_from(tmp_path, state, save):
    save({7: 0.5})
    assert newest_whole(tmp_path) == 7
    others = read_description(tmp_path / "checkpoints" / "7").others
    assert (others["step"], others["data_position"], others["score"]) == (7, 7, 0.5)
    assert others["data"] == "none"
    read = read_state(tmp_path / "checkpoints" / "7", state)
    jax.tree.map(
        functools.partial(np.testing.assert_array_equal, strict=True), read, state_at(state, 7)
    )
    assert all(isinstance(x, np.ndarray) for x in jax.tree.leaves(read))


PARTS = {
    "a part of the run that goes on": [
        ({1: 0.5, 2: None, 3: 0.7, 4: 0.6}, "", [3, 4], 3),
        ({5: None, 6: 0.1}, "", [3, 5, 6], 3),
    ],
    "scores under other conditions are not compared": [
        ({1: 0.9}, "easy", [1], 1),
        ({2: 0.5, 3: 0.4, 4: None}, "hard", [2, 3, 4], 2),
        ({5: 0.3}, "easy", [2, 4, 5], 5),
    ],
    "the best stays by a part that scores nothing": [
        ({1: 0.9, 2: 0.5, 3: 0.4}, "easy", [1, 2, 3], 1),
        ({4: None, 5: None}, "", [1, 4, 5], 1),
        ({6: None, 7: None}, "hard", [1, 6, 7], 1),
        ({8: 0.1, 9: None, 10: None}, "hard", [8, 9, 10], 8),
    ],
}


@pytest.mark.parametrize("parts", PARTS.values(), ids=PARTS)
def test_the_latest_and_the_best_are_kept(tmp_path, save, parts):
    for scores, conditions, kept, best in parts:
        save(scores, **({"score_conditions": conditions} if conditions else {}))
        assert steps(tmp_path) == kept
        assert read_description(tmp_path).others["step"] == best


@pytest.mark.parametrize(("scores", "chosen"), [({1: 0.7, 2: 0.6}, 1), ({1: None, 2: None}, 2)])
def test_a_run_stands_for_its_best_or_else_newest_average(tmp_path, state, save, scores, chosen):
    save(scores)
    assert load_config_of(tmp_path) == CONFIG
    for path in (tmp_path, tmp_path / "checkpoints" / str(chosen)):
        model, variables = load(path)
        assert model.config == CONFIG
        assert same(variables, variables_of(state_at(state, chosen), average=True))


def test_a_run_without_a_checkpoint_has_no_weights(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    refuse(f"{tmp_path}.* found none yet", load, tmp_path)


DAMAGES = {
    "weights": lambda step: flip(step / "weights"),
    "training": lambda step: flip(step / "training"),
    "missing": lambda step: (step / "training" / "manifest.ocdbt").unlink(),
    "bare": lambda step: (step / "config.json").unlink(),
    "torn": lambda step: (step / "config.json").write_text("{"),
}


@pytest.mark.parametrize("kind", DAMAGES)
def test_the_one_before_a_damaged_checkpoint_is_used(tmp_path, save, two, capfd, kind):
    damage = DAMAGES[kind]
    damage(two)
    assert newest_whole(tmp_path) == 1
    output = capfd.readouterr()
    assert (output.err, output.out.count("\n")) == ("", 1)
    assert f"using step 1; moved to {tmp_path / 'damaged' / '2'}" in output.out
    save({2: None})
    assert newest_whole(tmp_path) == 2
    damage(two)
    assert newest_whole(tmp_path) == 1
    assert sorted(x.name for x in (tmp_path / "damaged").iterdir()) == ["2", "2-2"]


def test_a_run_does_not_begin_again_over_damaged_checkpoints(tmp_path, two):
    for step in (two, two.with_name("1")):
        flip(step / "training")
    refuse("expected .*, found 2 damaged: .*/2/", newest_whole, tmp_path)
    assert steps(tmp_path) == [1, 2]


def test_a_checkpoint_that_was_not_completed_does_not_count(tmp_path, save):
    save({1: None})
    left = tmp_path / "checkpoints" / "2.orbax-checkpoint-tmp"
    shutil.copytree(tmp_path / "checkpoints" / "1", left)
    assert newest_whole(tmp_path) == 1
    save({2: None})
    assert steps(tmp_path) == [1, 2]


def test_all_differences_of_a_state_are_in_one_line(state, two):
    path, other, *_ = state.trained
    half = state.average[other].astype(np.float16)
    like = state._replace(
        trained={**state.trained, path: np.zeros((1, 2), np.float32), "new": np.zeros(3)},
        average={**state.average, other: half, "new": np.ones(3)},
    )
    message = refuse(f"{two}.*2 missing: ", read_state, two, like)
    assert f"trained/{path} (expected float32 [1, 2], found float32" in message
    assert f"params/{other} (expected float16" in message


@pytest.mark.parametrize("change", ["format", "field"])
def test_a_checkpoint_of_another_version_is_not_damaged(tmp_path, two, change):
    description = json.loads((two / "config.json").read_text())
    if change == "format":
        description["format"] += 1
    else:
        description["config"]["later"] = 1
        description["config_checksum"] = descriptions._checksum(description["config"])
    (two / "config.json").write_text(json.dumps(description))
    refuse("use the version that wrote it", newest_whole, tmp_path)
    assert steps(tmp_path) == [1, 2]


def test_a_file_that_cannot_be_read_now_is_not_damage(tmp_path, two, monkeypatch):
    def fail(folder):
        raise OSError(errno.EIO, "Input/output error", str(folder))

    monkeypatch.setattr("mavos_jax.training.resume.file_checksums", fail)
    with pytest.raises(OSError, match="Input/output error"):
        newest_whole(tmp_path)
    assert steps(tmp_path) == [1, 2]


def test_a_step_that_is_there_is_not_written_again(save, two):
    refuse(f"{two}: expected", save, {2: None})
