"""Checkpoints that cannot be written or removed, and scores that cannot be added."""

import errno
import itertools
import re
import shutil
import time
from types import SimpleNamespace
from unittest.mock import Mock

import orbax.checkpoint as ocp
import pytest
from training.stand_in import CONFIG, fail_writes, state_at
from training.stand_in import saved_steps as steps

from mavos_jax.checkpoints.description import read_description
from mavos_jax.training import checkpoints
from mavos_jax.training.checkpoints import Checkpoints
from mavos_jax.training.resume import newest_whole

STALE = OSError(errno.ESTALE, "Stale file handle")


@pytest.mark.parametrize("is_full_before", [True, False])
def test_a_full_disk_is_one_line_and_what_was_saved_stays(
    tmp_path, save, monkeypatch, capfd, is_full_before
):
    save({1: None})
    if is_full_before:
        monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=10**5))
    else:
        fail_writes(monkeypatch, 1, OSError(errno.ENOSPC, "No space left on device"))
    with pytest.raises(OSError, match=r"/2: expected .*, found the disk full;.* after step 1"):
        save({2: None})
    assert capfd.readouterr().err == ""
    monkeypatch.undo()
    assert newest_whole(tmp_path) == 1
    save({2: None})
    assert newest_whole(tmp_path) == 2


def test_leftovers_that_cannot_be_removed_prevent_no_save(tmp_path, save, monkeypatch):
    (tmp_path / "checkpoints/7.orbax-checkpoint-tmp").mkdir(parents=True)

    def rmtree(path, ignore_errors=False, **options):
        if not ignore_errors:
            raise STALE

    monkeypatch.setattr(shutil, "rmtree", rmtree)
    save({1: None})
    assert newest_whole(tmp_path) == 1


def fail_at_once(monkeypatch, times, error):
    """Lets the first so many checkpoints fail before anything is written; nobody knows the room."""
    save, calls = ocp.AsyncCheckpointer.save, itertools.count()

    def failing(*arguments, **options):
        if next(calls) < times:
            raise error
        return save(*arguments, **options)

    monkeypatch.setattr(ocp.AsyncCheckpointer, "save", failing)
    monkeypatch.setattr(shutil, "disk_usage", Mock(side_effect=error))


@pytest.mark.parametrize("fail", [fail_writes, fail_at_once])
@pytest.mark.parametrize(
    ("failures", "attempts", "kept"),
    [
        (2, [(1, False), (2, False), (3, False)], [3]),
        (1, [(2, False), (2, True)], [2]),  # a step can be tried again
        (3, [(1, False), (2, False), (3, False), (4, False)], None),  # three in a row end the run
        # Attempts between do not count towards the three.
        (5, [(1, False), (2, True), (3, True), (4, True), (5, False), (6, False)], [6]),
    ],
)
def test_a_checkpoint_that_cannot_be_written_does_not_cost_the_next(
    tmp_path, state, monkeypatch, capfd, failures, attempts, kept, fail
):
    def write():
        with Checkpoints(tmp_path, CONFIG, {}) as checkpoints:
            for number, (step, is_retry) in enumerate(attempts, start=1):
                checkpoints.save(state_at(state, step), is_retry=is_retry)
                while not checkpoints._cause and checkpoints._manager.is_saving_in_progress():
                    time.sleep(0.01)
                assert checkpoints.has_failed == (number <= failures)

    fail(monkeypatch, failures, STALE)
    if kept is None:
        with pytest.raises(OSError, match="Stale file handle"):
            write()
        assert newest_whole(tmp_path) is None
        return
    write()
    assert steps(tmp_path) == kept
    output = capfd.readouterr()
    assert output.err == ""
    assert re.fullmatch(rf"(step \d .* Stale file handle\n){{{failures}}}", output.out)


@pytest.mark.parametrize(("failures", "kept"), [(1, [3, 5, 6]), (9, [1, 3, 5, 6])])
def test_a_checkpoint_that_cannot_be_removed_costs_no_other(
    tmp_path, state, monkeypatch, capfd, failures, kept
):
    remove, calls = shutil.rmtree, itertools.count()

    def failing(path, *arguments, **options):
        if str(path).endswith("/1") and next(calls) < failures:
            if options.get("ignore_errors"):
                return
            raise STALE
        remove(path, *arguments, **options)

    monkeypatch.setattr(shutil, "rmtree", failing)
    with Checkpoints(tmp_path, CONFIG, {}) as checkpoints:
        for step, score in {1: 0.1, 2: 0.2, 3: 0.9, 4: 0.3, 5: 0.4, 6: 0.5}.items():
            checkpoints.save(state_at(state, step))
            checkpoints.add_score(step, score)
        checkpoints.wait()
    assert steps(tmp_path) == kept
    assert "step 3 was saved, but an older one could not be removed: " in capfd.readouterr().out


def test_several_processes_end_with_the_error_of_the_last_checkpoint(tmp_path, state, monkeypatch):
    fail_writes(monkeypatch, 1, STALE)
    with Checkpoints(tmp_path, CONFIG, {}) as saved:
        saved.save(state_at(state, 1))
        monkeypatch.setattr(checkpoints, "jax", SimpleNamespace(process_count=lambda: 2))
        saved.add_score(1, 0.5)  # it waits first, and goes on
        with pytest.raises(OSError, match="Stale file handle"):
            saved.wait(is_last=True)


def test_scores_wait_for_another_attempt_or_are_told_to_be_lost(
    tmp_path, state, monkeypatch, capfd
):
    fail_writes(monkeypatch, 1, STALE)
    with Checkpoints(tmp_path, CONFIG, {}) as saved:
        saved.save(state_at(state, 1))
        saved.add_score(1, 0.5)
        saved.save(state_at(state, 1), is_retry=True)
        saved.wait()
        assert read_description(tmp_path / "checkpoints" / "1").others["score"] == 0.5
        monkeypatch.setattr(checkpoints, "written_whole", Mock(side_effect=STALE))
        saved.add_score(1, 0.7)
    assert "step 1: its score could not be added: " in capfd.readouterr().out


def test_a_score_of_a_checkpoint_that_could_not_be_written_does_not_count(
    tmp_path, save, monkeypatch
):
    save({1: 0.5})
    fail_writes(monkeypatch, 1, STALE)
    save({2: 0.9, 3: None, 4: None, 5: None})
    assert steps(tmp_path) == [1, 4, 5]
