import errno
import json
import shutil
import time
from types import SimpleNamespace

import jax
import numpy as np
import pytest
from training.stand_in import CONFIG, fail_writes, same
from training.stand_in import saved_steps as steps

from mavos_jax.checkpoints import description as descriptions
from mavos_jax.checkpoints.description import read_description
from mavos_jax.checkpoints.folder import load, load_config_of
from mavos_jax.models.mavos import build_model, init_variables
from mavos_jax.training import checkpoints as written
from mavos_jax.training.checkpoints import Checkpoints
from mavos_jax.training.resume import newest_whole, read_state
from mavos_jax.training.step import new_state, variables_of


@pytest.fixture(scope="module")
def state():
    """A state without two equal leaves."""
    fresh = jax.device_get(new_state(CONFIG, init_variables(build_model(CONFIG))))
    leaves, tree = jax.tree.flatten(fresh)
    return jax.tree.unflatten(
        tree, [x + np.asarray(n).astype(x.dtype) for n, x in enumerate(leaves, start=1)]
    )


def at(state, step):
    moved = state._replace(step=np.asarray(step, np.int32))
    return moved._replace(average={path: x + step for path, x in state.average.items()})


def save(workdir, state, scores, config=CONFIG, **facts):
    with Checkpoints(workdir, config, {"data": "none", **facts}) as checkpoints:
        for step, score in scores.items():
            checkpoints.save(at(state, step), score)


def flip(file):
    """Changes one bit in the middle of a file, as a failing disk does."""
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def largest(folder):
    return max((x for x in folder.rglob("*") if x.is_file()), key=lambda x: x.stat().st_size)


def test_a_state_comes_back_bit_for_bit_and_says_where_it_is_from(tmp_path, state):
    save(tmp_path, state, {7: 0.5})
    assert newest_whole(tmp_path) == 7
    others = read_description(tmp_path / "checkpoints" / "7").others
    assert (others["step"], others["data_position"], others["score"]) == (7, 7, 0.5)
    assert others["data"] == "none"
    read = read_state(tmp_path / "checkpoints" / "7", state)
    assert jax.tree.structure(read) == jax.tree.structure(state)
    leaves = jax.tree.leaves(read)
    assert all(isinstance(x, np.ndarray) for x in leaves)
    expected = jax.tree.leaves(at(state, 7))
    assert same(leaves, expected)
    assert [x.dtype for x in leaves] == [x.dtype for x in expected]


def test_the_latest_and_the_best_are_kept(tmp_path, state):
    save(tmp_path, state, {1: 0.5, 2: None, 3: 0.7, 4: 0.6})
    assert steps(tmp_path) == [3, 4]
    save(tmp_path, state, {5: None, 6: 0.1})  # as a part of the run that goes on
    assert steps(tmp_path) == [3, 5, 6]


@pytest.mark.parametrize(("scores", "chosen"), [({1: 0.7, 2: 0.6}, 1), ({1: None, 2: None}, 2)])
def test_a_run_stands_for_its_best_or_else_newest_average(tmp_path, state, scores, chosen):
    save(tmp_path, state, scores)
    assert load_config_of(tmp_path) == CONFIG
    expected = jax.tree.leaves(variables_of(at(state, chosen), average=True))
    for path in (tmp_path, tmp_path / "checkpoints" / str(chosen)):
        model, variables = load(path)
        assert model.config == CONFIG
        assert same(jax.tree.leaves(variables), expected)


def test_scores_under_other_conditions_are_not_compared(tmp_path, state):
    save(tmp_path, state, {1: 0.9}, score_conditions="easy")
    save(tmp_path, state, {2: 0.5, 3: 0.4, 4: None}, score_conditions="hard")
    assert steps(tmp_path) == [2, 3, 4]  # the best and the latest two
    assert read_description(tmp_path).others["step"] == 2
    save(tmp_path, state, {5: 0.3}, score_conditions="easy")
    assert read_description(tmp_path).others["step"] == 5


def test_the_best_is_kept_by_a_part_that_scores_nothing(tmp_path, state):
    save(tmp_path, state, {1: 0.9, 2: 0.5, 3: 0.4}, score_conditions="easy")
    save(tmp_path, state, {4: None, 5: None})  # evaluate_every 0
    save(tmp_path, state, {6: None, 7: None}, score_conditions="hard")
    assert steps(tmp_path) == [1, 6, 7]
    save(tmp_path, state, {8: 0.1, 9: None, 10: None}, score_conditions="hard")
    assert steps(tmp_path) == [8, 9, 10]


def test_a_score_of_a_checkpoint_that_could_not_be_written_does_not_count(
    tmp_path, state, monkeypatch
):
    save(tmp_path, state, {1: 0.5})
    fail_writes(monkeypatch, 1, STALE)
    save(tmp_path, state, {2: 0.9, 3: None, 4: None, 5: None})
    assert steps(tmp_path) == [1, 4, 5]


def test_a_run_without_a_checkpoint_has_no_weights(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    with pytest.raises(ValueError, match="found none yet"):
        load(tmp_path)


def truncate(step):
    file = largest(step / "weights")
    file.write_bytes(file.read_bytes()[:-1])


@pytest.mark.parametrize(
    "damage",
    [
        lambda step: flip(largest(step / "weights")),
        lambda step: flip(largest(step / "training")),
        truncate,
        lambda step: (step / "training" / "manifest.ocdbt").unlink(),
        lambda step: (step / "config.json").unlink(),
        lambda step: (step / "config.json").write_text("{"),
        lambda step: [shutil.rmtree(step), step.mkdir()],
    ],
    ids=["weights", "training", "truncated", "missing", "bare", "torn", "empty"],
)
def test_the_one_before_a_damaged_checkpoint_is_used(tmp_path, state, capfd, damage):
    save(tmp_path, state, {1: None, 2: None})
    damage(tmp_path / "checkpoints" / "2")
    assert newest_whole(tmp_path) == 1
    output = capfd.readouterr()
    assert output.err == ""
    assert output.out.count("\n") == 1
    assert f"using step 1; moved to {tmp_path / 'damaged' / '2'}" in output.out
    save(tmp_path, state, {2: None})
    assert newest_whole(tmp_path) == 2
    damage(tmp_path / "checkpoints" / "2")
    assert newest_whole(tmp_path) == 1
    assert sorted(x.name for x in (tmp_path / "damaged").iterdir()) == ["2", "2-2"]


def test_a_run_does_not_begin_again_over_damaged_checkpoints(tmp_path, state):
    save(tmp_path, state, {1: None, 2: None})
    for step in ("1", "2"):
        flip(largest(tmp_path / "checkpoints" / step / "training"))
    with pytest.raises(ValueError, match=r"expected a whole checkpoint, found 2 damaged: .*/2/"):
        newest_whole(tmp_path)
    assert steps(tmp_path) == [1, 2]


def test_a_checkpoint_that_was_not_completed_does_not_count(tmp_path, state):
    save(tmp_path, state, {1: None})
    left = tmp_path / "checkpoints" / "2.orbax-checkpoint-tmp"
    shutil.copytree(tmp_path / "checkpoints" / "1", left)
    assert newest_whole(tmp_path) == 1
    save(tmp_path, state, {2: None})
    assert steps(tmp_path) == [1, 2]


def test_all_differences_of_a_state_are_in_one_line(tmp_path, state):
    save(tmp_path, state, {1: None})
    path, other, *_ = state.trained
    half = state.average[other].astype(np.float16)
    like = state._replace(
        trained={**state.trained, path: np.zeros((1, 2), np.float32), "new": np.zeros(3)},
        average={**state.average, other: half, "new": np.ones(3)},
    )
    with pytest.raises(ValueError, match="expected the state of this configuration") as error:
        read_state(tmp_path / "checkpoints" / "1", like)
    message = str(error.value)
    assert "\n" not in message
    assert "2 missing: " in message
    assert f"trained/{path} (expected float32 [1, 2], found float32" in message
    assert f"params/{other} (expected float16" in message


def fail_late(*_):
    raise OSError(errno.ENOSPC, "No space left on device")


FULL = {
    "before": ("shutil.disk_usage", lambda _: SimpleNamespace(free=10**5)),
    "meanwhile": ("mavos_jax.training.checkpoints.write_description", fail_late),
}


@pytest.mark.parametrize("when", FULL)
def test_a_full_disk_is_one_line_and_what_was_saved_stays(
    tmp_path, state, monkeypatch, capfd, when
):
    save(tmp_path, state, {1: None})
    monkeypatch.setattr(*FULL[when])
    words = "/2: expected room for a checkpoint, found the disk full;.* goes on after step 1"
    with pytest.raises(OSError, match=words):
        save(tmp_path, state, {2: None})
    assert capfd.readouterr().err == ""
    monkeypatch.undo()
    assert newest_whole(tmp_path) == 1
    save(tmp_path, state, {2: None})
    assert newest_whole(tmp_path) == 2


STALE = OSError(errno.ESTALE, "Stale file handle")


def test_a_checkpoint_that_could_not_be_written_does_not_cost_the_next(
    tmp_path, state, monkeypatch, capfd
):
    fail_writes(monkeypatch, 2, STALE)
    with Checkpoints(tmp_path, CONFIG, {}) as checkpoints:
        assert not checkpoints.has_failed
        for step in (1, 2, 3):
            checkpoints.save(at(state, step))
            while checkpoints._manager.is_saving_in_progress():
                time.sleep(0.01)
            assert checkpoints.has_failed == (step < 3)
        assert checkpoints.newest() == 3
    assert steps(tmp_path) == [3]
    output = capfd.readouterr()
    assert output.err == ""
    for step, line in enumerate(output.out.splitlines(), start=1):
        assert line.startswith(f"step {step} could not be saved")
        assert line.endswith("Stale file handle")
    assert output.out.count("\n") == 2


def test_three_in_a_row_that_cannot_be_written_end_the_run(tmp_path, state, monkeypatch):
    fail_writes(monkeypatch, 3, STALE)
    with pytest.raises(OSError, match="Stale file handle"):
        save(tmp_path, state, {1: None, 2: None, 3: None, 4: None})
    assert newest_whole(tmp_path) is None


def test_attempts_between_do_not_count_towards_the_three(tmp_path, state, monkeypatch, capfd):
    fail_writes(monkeypatch, 5, STALE)
    with Checkpoints(tmp_path, CONFIG, {}) as checkpoints:
        for step, is_retry in enumerate((False, True, True, True, False, False), start=1):
            checkpoints.save(at(state, step), is_retry=is_retry)
    assert steps(tmp_path) == [6]
    assert capfd.readouterr().out.count("could not be saved") == 5


def test_a_step_that_could_not_be_written_can_be_tried_again(tmp_path, state, monkeypatch):
    fail_writes(monkeypatch, 1, STALE)
    with Checkpoints(tmp_path, CONFIG, {}) as checkpoints:
        checkpoints.save(at(state, 2))
        assert checkpoints.newest() is None
        checkpoints.save(at(state, 2), is_retry=True)
    assert steps(tmp_path) == [2]


@pytest.mark.parametrize("change", ["format", "field"])
def test_a_checkpoint_of_another_version_is_not_damaged(tmp_path, state, change):
    save(tmp_path, state, {1: None, 2: None})
    file = tmp_path / "checkpoints" / "2" / "config.json"
    description = json.loads(file.read_text())
    if change == "format":
        description["format"] += 1
    else:
        description["config"]["later"] = 1
        description["config_checksum"] = descriptions._checksum(description["config"])
    file.write_text(json.dumps(description))
    with pytest.raises(ValueError, match="use the version that wrote it"):
        newest_whole(tmp_path)
    assert steps(tmp_path) == [1, 2]


def test_the_sums_are_there_before_a_step_gets_its_name(tmp_path, state, monkeypatch):
    seen = []
    write = written.write_description

    def watch(folder, *arguments):
        write(folder, *arguments)
        assert (folder / "config.json").exists()
        seen.extend(x.name for x in (tmp_path / "checkpoints").iterdir())

    monkeypatch.setattr(written, "write_description", watch)
    save(tmp_path, state, {1: None})
    assert seen == ["1.orbax-checkpoint-tmp"]


def test_a_file_that_cannot_be_read_now_is_not_damage(tmp_path, state, monkeypatch):
    save(tmp_path, state, {1: None, 2: None})

    def fail(folder):
        raise OSError(errno.EIO, "Input/output error", str(folder))

    monkeypatch.setattr("mavos_jax.training.resume.file_checksums", fail)
    with pytest.raises(OSError, match="Input/output error"):
        newest_whole(tmp_path)
    assert steps(tmp_path) == [1, 2]


def test_a_step_that_is_there_is_not_written_again(tmp_path, state):
    save(tmp_path, state, {2: None})
    with pytest.raises(ValueError, match=r"checkpoints/2: expected no checkpoint of this step"):
        save(tmp_path, state, {2: None})
