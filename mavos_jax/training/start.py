"""The state that a run begins with: that of its newest checkpoint, or starting weights."""

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import jax
import numpy as np

from mavos_jax.checkpoints.description import STEPS, is_checkpoint, read_description
from mavos_jax.checkpoints.mismatch import Problems, abbreviate, compare_shapes, expected_shapes
from mavos_jax.checkpoints.weights import load_stored
from mavos_jax.config import Experiment
from mavos_jax.models.mavos import Variables, build_model, init_variables, variable_shapes
from mavos_jax.runtime.files import opened_lock, require_writable_parent
from mavos_jax.runtime.trees import leaves_by_path, nested
from mavos_jax.training.optimizer import Leaves
from mavos_jax.training.processes import broadcast, is_first, print_once
from mavos_jax.training.resume import compare_scores, newest_whole, read_state, require_same_run
from mavos_jax.training.step import TrainState, new_state

Convert = Callable[[Experiment, Path], tuple[Variables, str]]
"""Reads PyTorch weights for an experiment; returns its variables and a report for the user."""

_LOCK = "run.lock"


@contextlib.contextmanager
def opened_workdir(path: Path) -> Iterator[Path]:
    """Creates or reuses a run's folder and locks it, else ValueError; yields its absolute path."""
    workdir = Path(os.path.abspath(path))
    if not is_first():
        yield workdir
        return
    if workdir.exists() and not workdir.is_dir():
        raise ValueError(f"--workdir {path}: expected a folder, found a file; choose another path")
    require_writable_parent(workdir / _LOCK)  # the folder itself, if it is there already
    strange = sorted(x.name for x in workdir.iterdir()) if workdir.is_dir() else []
    if strange and _LOCK not in strange:
        raise ValueError(
            f"--workdir {path}: expected an empty folder or that of a run, found "
            f"{', '.join(strange[:3])} in it; choose another path"
        )
    is_new = not workdir.exists()
    workdir.mkdir(parents=True, exist_ok=True)
    with opened_lock(workdir / _LOCK) as lock:
        try:
            is_free = lock.take()
        except OSError as error:  # some network file systems know no locks
            print(f"{workdir}: {error.strerror}; let no other run write there")
            is_free = True
        if not is_free:
            raise ValueError(
                f"--workdir {path}: expected no other run there, found one that is writing; wait "
                "for its end, or choose another path"
            )
        try:
            yield workdir
        except BaseException:
            if not strange:
                _remove_unused(workdir, is_new)
            raise


def _remove_unused(workdir: Path, is_new: bool) -> None:
    with contextlib.suppress(OSError):
        if [x.name for x in workdir.iterdir()] == [_LOCK]:
            (workdir / _LOCK).unlink()
            if is_new:
                workdir.rmdir()


def begin(
    config: Experiment,
    workdir: Path,
    data: str,
    conditions: str | None = None,
    convert: Convert | None = None,
) -> TrainState:
    """Returns the state to go on from, the same on every process, and prints what it is."""
    found = newest_whole(workdir) if is_first() else None  # one looks for all
    newest = int(broadcast(np.int32(-1 if found is None else found)))
    if newest < 0:
        variables, words = starting_variables(config, convert)
        print_once(words)
        return jax.device_get(new_state(config, broadcast(jax.device_get(variables))))
    folder = workdir / STEPS / str(newest)
    require_same_run(folder, config, data)
    print_once(f"goes on from step {newest} of {config.training.steps} in {workdir}")
    shapes = jax.eval_shape(lambda x: new_state(config, x), variable_shapes(config))
    state = read_state(folder, shapes)
    if conditions is not None:
        compare_scores(folder, conditions)
    return state


def starting_variables(config: Experiment, convert: Convert | None = None) -> tuple[Variables, str]:
    """Returns the variables that ``training.start`` asks for, and what they are, for the user."""
    _require_trained_encoder(config)
    if not config.training.start:
        return _fresh(config), f"starts from fresh weights (seed {config.training.seed})"
    start = Path(config.training.start)
    if not start.exists():
        raise ValueError(
            f"training.start: {start}: expected a checkpoint, found nothing; name another"
        )
    if start.is_dir() or is_checkpoint(start) or convert is None:
        stored = read_description(start)
        _, variables = load_stored(stored)
        return _complete(config, variables, f"{start} ({stored.title})")
    variables, words = convert(config, start)
    if config.training.fresh:
        variables, rest = _complete(config, variables, str(start))
        words = f"{words}\n{rest}"
    return variables, words


def _require_trained_encoder(config: Experiment) -> None:
    fresh = {part.partition("/")[0] for part in config.training.fresh}
    if config.training.start and "encoder" not in fresh:
        return
    for field, parts in (("freeze_encoder", "weights"), ("freeze_early", "first stages")):
        if getattr(config.training.optimizer, field):
            raise ValueError(
                f"training.start: expected trained weights of the encoder, whose {parts} "
                f"training.optimizer.{field} keeps as they are, found fresh ones; name weights, or "
                f"pass --training.optimizer.{field} False"
            )


def _fresh(config: Experiment) -> Variables:
    return init_variables(build_model(config), config.training.seed)


def _complete(config: Experiment, stored: Variables, source: str) -> tuple[Variables, str]:
    expected, leaves = expected_shapes(config), _leave_out(config, leaves_by_path(stored))
    problems = compare_shapes(expected, {path: np.shape(leaf) for path, leaf in leaves.items()})
    if problems.unexpected or problems.mismatched or len(problems.missing) == len(expected):
        blocking = Problems(unexpected=problems.unexpected, mismatched=problems.mismatched)
        raise ValueError(
            f"training.start: expected weights for configuration {config.name!r}, found in "
            f"{source} {blocking.summary(expected, leaves)}; choose the configuration that they "
            "were trained with, or other weights"
        )
    words = f"starts from {source}"
    if problems.missing:
        fresh = leaves_by_path(_fresh(config))
        leaves |= {path: fresh[path] for path in problems.missing}
        words += f"; {len(problems.missing)} start fresh: {abbreviate(problems.missing, expected)}"
    return {"params": {}, "constants": {}, **nested(leaves)}, words


def _leave_out(config: Experiment, leaves: Leaves) -> Leaves:
    for part in config.training.fresh:
        prefixes = (f"params/{part}/", f"constants/{part}/")
        kept = {path: x for path, x in leaves.items() if not f"{path}/".startswith(prefixes)}
        if len(kept) == len(leaves):
            parts = sorted({path.split("/")[1] for path in leaves if path.startswith("params/")})
            raise ValueError(
                f"training.fresh: expected parts of {config.training.start}, which has "
                f"{', '.join(parts)}, found {part!r}"
            )
        leaves = kept
    return leaves
