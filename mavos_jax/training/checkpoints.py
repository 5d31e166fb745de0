"""The checkpoints of a training run, ``WORKDIR/checkpoints/STEP``, written in the background.

``weights/`` has the moving average, ``training/`` all else that the next step depends on. Orbax
writes under a temporary name; once ``config.json`` is complete, the folder gets its own: whenever
the process dies, a step is there with its checksums or not at all.
"""

import contextlib
import dataclasses
import errno
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import orbax.checkpoint as ocp
from orbax.checkpoint import checkpoint_managers

from mavos_jax.checkpoints import description
from mavos_jax.checkpoints.description import STEPS, WEIGHTS, Score, steps_in
from mavos_jax.checkpoints.folder import quiet_orbax
from mavos_jax.config import Experiment
from mavos_jax.runtime.files import file_checksums, written_whole
from mavos_jax.training.processes import is_first, print_once
from mavos_jax.training.step import TrainState, split

TRAINING = "training"

_MARGIN = 1.1
_TEMPORARY = "{}.orbax-checkpoint-tmp"
_MAX_FAILURES = 3  # a run ends when so many checkpoints in a row that were due cannot be written
_WAIT_SECONDS = 600  # how long processes wait for one another's part of a checkpoint
_DISK_FULL = ("RESOURCE_EXHAUSTED", "No space left", "Disk quota exceeded")


@dataclasses.dataclass
class _LatestAndBest(checkpoint_managers.PreservationPolicy):
    """Keeps the newest steps, and the one that the run stands for by its score."""

    num_latest: int
    scores: Mapping[int, Score]

    def should_preserve(self, checkpoints: Sequence[Any], *, context: Any = None) -> Sequence[bool]:
        steps = [checkpoint.step for checkpoint in checkpoints]
        kept = self.kept(steps)
        return [step in kept for step in steps]

    def kept(self, steps: Sequence[int]) -> set[int | None]:
        """Returns the steps to keep of those that there are."""
        scores = {step: self.scores[step] for step in steps if step in self.scores}
        return {*sorted(steps)[-self.num_latest :], description.best_step(scores)}


class Checkpoints(contextlib.AbstractContextManager["Checkpoints"]):
    """Writes a run's checkpoints in the background; ``facts`` are JSON values to keep with each."""

    def __init__(self, workdir: Path, config: Experiment, facts: Mapping[str, Any]) -> None:
        self._quiet = contextlib.ExitStack()
        self._quiet.enter_context(quiet_orbax())  # also of its threads, until the end
        self._folder = workdir / STEPS
        self._config = config
        self._facts = dict(facts)
        self._begun: dict[str, Any] = {}  # describes the checkpoint that was begun last
        self._scores = description.scores_in(self._folder) if self._folder.is_dir() else {}
        self._policy = _LatestAndBest(config.training.loop.keep, self._scores)
        self._num_failures = 0
        self._is_pending = self._is_retry = False
        self._cause: Exception | None = None
        if is_first():  # Orbax fails every save if it cannot remove a leftover
            for left in self._folder.glob(_TEMPORARY.format("*")):
                shutil.rmtree(left, ignore_errors=True)
        options = ocp.CheckpointManagerOptions(
            preservation_policy=self._policy,
            async_options=ocp.options.AsyncOptions(
                timeout_secs=_WAIT_SECONDS, post_finalization_callback=self._describe
            ),
        )
        handlers = {name: ocp.StandardCheckpointHandler() for name in (WEIGHTS, TRAINING)}
        self._manager = ocp.CheckpointManager(
            self._folder,
            options=options,
            handler_registry=ocp.handlers.create_default_handler_registry(**handlers),
        )

    def newest(self) -> int | None:
        """Returns the newest step that has a checkpoint, once none is being written."""
        self.wait()
        return self._manager.latest_step()

    @property
    def has_failed(self) -> bool:
        """Whether the newest checkpoint could not be written; several processes cannot tell."""
        if not self._begun or jax.process_count() > 1:
            return False
        # To Orbax a save that failed at once is in progress for ever.
        if self._cause is None and self._manager.is_saving_in_progress():
            return False
        return not self._is_whole

    @property
    def _is_whole(self) -> bool:
        return os.path.isdir(self._folder / str(self._begun["step"]))  # False for any OSError

    def save(self, state: TrainState, *, is_retry: bool = False) -> None:
        """Starts to write a checkpoint, once the one before is complete.

        The third failure in a row, retries aside, and a full disk raise OSError. ``state`` holds
        NumPy arrays that nobody changes.
        """
        step, newest = int(state.step), self.newest()
        if newest is not None and newest >= step:
            raise ValueError(
                f"{self._folder / str(step)}: expected no checkpoint of this step or a later one, "
                f"found step {newest}; move it away, or train in another --workdir"
            )
        # The data are a function of the seed and the step, which is thus their position.
        self._begun = {"step": step, "data_position": step, **self._facts}
        if step in self._scores:  # judged before it was saved
            self._begun["score"] = self._scores[step].value
        with self._explained():
            self._require_room(state)
        weights, training = split(state)
        self._is_pending, self._is_retry, self._cause = True, is_retry, None
        parts = {WEIGHTS: weights, TRAINING: training}
        items = {name: ocp.args.StandardSave(part) for name, part in parts.items()}
        try:
            with self._explained():
                self._manager.save(step, args=ocp.args.Composite(**items), force=True)
        except Exception as error:  # what fails before anything is written in the background
            if jax.process_count() > 1:  # the others wait where this one would not arrive
                raise
            self._cause = error

    def add_score(self, step: int, score: float) -> None:
        """Adds J&F of the average to the checkpoint of a step, or to the next attempt at it."""
        self.wait()
        conditions = self._facts.get(description.SCORE_CONDITIONS)
        self._scores[step] = Score(score, conditions)
        folder = self._folder / str(step)
        if not is_first():
            return
        try:
            if not folder.is_dir():
                return
            stored = description.read_description(folder)
            others = {**stored.others, "score": score, description.SCORE_CONDITIONS: conditions}
            text = description.describe(self._config, stored.checksums, others)
            with written_whole(folder / description.CONFIG, is_flushed=True) as temporary:
                temporary.write_text(f"{text}\n", encoding="utf-8")
        except (OSError, ValueError) as error:  # training does not end for want of a score
            print_once(f"step {step}: its score could not be added: {error}")

    def wait(self, *, is_last: bool = False) -> None:
        """Waits until nothing is being written; reports failures, raises the third in a row.

        Several processes, which cannot save again, also raise the failure of the last checkpoint.
        """
        if not self._is_pending:
            if is_last and self._cause is not None and jax.process_count() > 1:
                with self._explained():
                    raise self._cause  # told when a score was to be added
            return
        step = self._begun["step"]
        try:
            with self._explained():
                self._finish()
            self._num_failures = 0
        except Exception as error:  # storage has many of its own
            # Orbax names a step once it is whole, and only then removes those that it replaces.
            is_whole, useless = self._is_whole, [_TEMPORARY.format(step)]
            if is_whole:
                self._num_failures = 0
                failure = "was saved, but an older one could not be removed"
                with contextlib.suppress(OSError):
                    there = steps_in(self._folder)
                    useless = [str(old) for old in set(there) - self._policy.kept(there)]
            else:
                self._cause = self._cause or error
                self._num_failures += not self._is_retry
                failure = "could not be saved, a later one is tried"
            is_lost = is_last and not is_whole and jax.process_count() > 1
            if self._num_failures == _MAX_FAILURES or is_lost:
                raise
            if is_first():  # they would take up space until a restart
                for name in useless:
                    shutil.rmtree(self._folder / name, ignore_errors=True)
            # Orbax counts steps as there, or removed, that are not.
            if is_whole or jax.process_count() == 1:
                with contextlib.suppress(OSError):
                    self._manager.reload()
            # Processes that waited for the one that failed only know of the waiting.
            cause = self._cause or error
            reason = (str(cause).splitlines() or [type(cause).__name__])[0]
            print_once(f"step {step} {failure}: {reason}")

    def _finish(self) -> None:
        """Waits until nothing is being written; raises why the pending checkpoint failed, once."""
        was_pending, self._is_pending = self._is_pending, False
        self._manager.wait_until_finished()
        if was_pending and self._cause is not None:
            raise self._cause

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        """Waits until the last checkpoint is complete; raises OSError if it cannot be written."""
        # What went wrong first is what the user should read.
        later = () if kind is None else (Exception,)
        with contextlib.suppress(*later), self._quiet, self._explained():
            try:
                self._finish()
            except Exception:
                if not self._is_whole:
                    raise
            self._manager.close()

    def _require_room(self, state: TrainState) -> None:
        """Raises OSError for a full disk; Orbax's writes would fail one by one, with a log each."""
        try:
            free = shutil.disk_usage(self._folder).free
        except OSError:  # where storage fails for a moment, the write says whether it still does
            return
        if free < _MARGIN * sum(x.nbytes for x in jax.tree.leaves(state)):
            raise OSError(errno.ENOSPC, "No space left on device")

    def _describe(self) -> None:
        """Adds the description; Orbax calls it before it gives a step its own name."""
        folder = self._folder / _TEMPORARY.format(self._begun["step"])
        try:
            others = {**self._begun, "checksums": file_checksums(folder / TRAINING)}
            description.write_description(folder, self._config, others)
        except Exception as error:
            self._cause = error
            raise

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        """Turns the many exceptions for a full disk into one line."""
        try:
            yield
        except Exception as error:
            is_full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
            if not is_full and not any(words in str(error) for words in _DISK_FULL):
                raise
            step = self._begun.get("step")
            complete = [x for x in steps_in(self._folder) if x != step]
            onward = f"goes on after step {complete[-1]}" if complete else "starts anew"
            raise OSError(
                f"{self._folder / str(step)}: expected room for a checkpoint, found the disk full; "
                f"free some, then run the same command again: it {onward}"
            ) from error
