"""Resumes a run from its newest whole checkpoint, if that is of the same experiment."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp

from mavos_jax.checkpoints import description
from mavos_jax.checkpoints.folder import quiet_orbax
from mavos_jax.checkpoints.mismatch import compare_shapes
from mavos_jax.config import Experiment, to_dict
from mavos_jax.datasets.files import SIZES
from mavos_jax.media.samples import VideoSet
from mavos_jax.runtime.files import checksum, file_checksums
from mavos_jax.runtime.trees import leaves_by_path
from mavos_jax.training.checkpoints import TRAINING
from mavos_jax.training.processes import broadcast, print_once, sum_over_processes
from mavos_jax.training.step import TrainState, join, split, training_precision

HARMLESS = (
    "data.held_out",
    "data.prefetch",
    "data.skip_damaged",
    "data.threads",
    "data.workers",
    "inference",
    "name",
    "training.accumulate",
    "training.clip.rematerialise",
    "training.loop",
    "training.optimizer.max_skipped",
    "training.start",  # like the next, read before the first step
    "training.fresh",
)
"""What may change between two parts of a run: it changes a step by rounding at most."""

_OWN = ("prefetch", "skip_damaged", "threads", "workers", "root", "format", "start")
"""Fields, by their last names, in which the processes of a run may differ."""

_DAMAGED = "damaged"


def require_one_run(config: Experiment, data: str) -> None:
    """Raises ValueError on every process unless all have one configuration and the same data."""
    fields = leaves_by_path(to_dict(config), sep=".").items()
    shared = {name: value for name, value in fields if name.rpartition(".")[2] not in _OWN}
    text = json.dumps([shared, _without_sizes(data)], sort_keys=True)
    own = np.uint32(int(checksum(text)[:8], 16))
    (num_others,) = sum_over_processes(np.array([broadcast(own) != own]))
    if num_others:
        raise ValueError(
            "training: expected one configuration and the same data sets on every process, found "
            f"others than those of process 0 on {num_others:.0f} of {jax.process_count()}; start "
            "all with the same options and the same data"
        )


def require_same_run(folder: Path, config: Experiment, data: str) -> None:
    """Raises ValueError, with the changes, unless a run can go on from a checkpoint."""
    stored = description.read_description(folder)
    before, after = (leaves_by_path(to_dict(each), sep=".") for each in (stored.config, config))
    changes = [
        f"{name}: {before.get(name)!r} there, {after.get(name)!r} asked for"
        for name in sorted({*before, *after})
        if before.get(name) != after.get(name) and not _is_harmless(name)
    ]
    if changes:
        raise ValueError(
            f"{folder}: expected the configuration of the run there, found {'; '.join(changes)}; "
            "drop the changes, or train in another --workdir"
        )
    began_with = str(stored.others.get("data"))
    if _without_sizes(began_with) != _without_sizes(data):
        raise ValueError(
            f"{folder}: expected the data sets that the run began with (fingerprint "
            f"{began_with}), found others ({data}); bring them back, or train in "
            f"another --workdir from --training.start {folder.parent.parent}"
        )
    if began_with != data:
        print_once(f"{folder}: files of the data sets have other sizes than when the run began")
    precision = training_precision(config)
    if (first := stored.others.get("precision", precision)) != precision:
        print_once(f"{folder}: the run began in {first} and goes on in {precision} on this device")


def compare_scores(folder: Path, conditions: str) -> None:
    """Warns about earlier scores that are missing or not comparable with those to come."""
    stored = description.read_description(folder)
    others, training = stored.others, stored.config.training
    if others.get(description.SCORE_CONDITIONS, conditions) != conditions:
        print_once(
            f"{folder}: the held-out videos or how they are segmented have changed; scores of this "
            "and earlier steps are not compared with those to come"
        )
    is_scored = is_due(int(folder.name), training.loop.evaluate_every, training.steps)
    if is_scored and others.get("score") is None:
        print_once(f"{folder}: was not scored: its evaluation failed or was given up")


def is_due(step: int, every: int, last: int | None = None) -> bool:
    """Whether what happens every so many steps, and after the last one, happens after a step."""
    return every > 0 and (step % every == 0 or step == last)


def join_fingerprints(sets: Sequence[VideoSet]) -> str:
    """Returns the fingerprints of the sets of a run, as its checkpoints keep them."""
    return "-".join(videos.fingerprint() for videos in sets)


def split_fingerprints(data: str) -> list[str]:
    """Returns what :func:`join_fingerprints` joined."""
    return data.split("-")


def _without_sizes(data: str) -> list[str]:
    return [fingerprint.partition(SIZES)[0] for fingerprint in split_fingerprints(data)]


def _is_harmless(name: str) -> bool:
    if name.startswith("data.sources.") and name.endswith((".root", ".format")):
        return True
    return any(name == field or name.startswith(f"{field}.") for field in HARMLESS)


def newest_whole(workdir: Path) -> int | None:
    """Returns the newest step with a whole checkpoint, if any; damaged ones are moved away."""
    folder = workdir / description.STEPS
    damaged: dict[int, str] = {}
    for step in reversed(description.steps_in(folder) if folder.is_dir() else []):
        damage = _damage(folder / str(step))
        if damage is None:
            for bad, reason in damaged.items():
                _set_aside(folder / str(bad), workdir / _DAMAGED, f"{reason}; using step {step}")
            return step
        damaged[step] = damage
    if damaged:
        first = next(iter(damaged.values()))
        raise ValueError(
            f"{folder}: expected a whole checkpoint, found {len(damaged)} damaged: {first}; "
            "bring back a copy, or begin again in another --workdir"
        )
    return None


def read_state(folder: Path, like: TrainState) -> TrainState:
    """Returns the state in a checkpoint; ``like`` is one of the same run, or its shapes."""
    items = dict(zip((description.WEIGHTS, TRAINING), split(like), strict=True))
    with quiet_orbax(), ocp.StandardCheckpointer() as checkpointer:
        found = {name: checkpointer.metadata(folder / name).item_metadata.tree for name in items}
        # Orbax casts types and names no array of a wrong shape.
        faults = compare_shapes(_forms(items), _forms(found), "")
        if faults:
            raise ValueError(f"{folder}: expected the state of this configuration, found {faults}")
        targets = jax.tree.map(lambda x: np.empty(x.shape, x.dtype), items)
        read = {name: checkpointer.restore(folder / name, targets[name]) for name in items}
    return join(like, (read[description.WEIGHTS], read[TRAINING]))


def _forms(tree: Any) -> dict[str, str]:
    leaves = leaves_by_path(tree)
    return {name: f"{np.dtype(x.dtype).name} {list(x.shape)}" for name, x in leaves.items()}


def _damage(folder: Path) -> str | None:
    try:
        (folder / description.CONFIG).read_bytes()
        stored = description.read_description(folder)
        items = {description.WEIGHTS: stored.checksums, TRAINING: stored.others["checksums"]}
        for item, checksums in items.items():
            found = file_checksums(folder / item)
            differing = [name for name in checksums if found.get(name) != checksums[name]]
            if differing:
                fault = "is missing" if differing[0] not in found else "is not what was written"
                return f"{folder / item / differing[0]} {fault}"
    except FileNotFoundError as error:
        return f"{error.filename} is missing"
    except description.OtherVersion:
        raise
    except (ValueError, KeyError, TypeError) as error:  # any other OSError says nothing about them
        return f"{folder}: {error}" if str(folder) not in str(error) else str(error)
    return None


def _set_aside(folder: Path, place: Path, reason: str) -> None:
    place.mkdir(exist_ok=True)
    target, number = place / folder.name, 2
    while target.exists():
        target, number = place / f"{folder.name}-{number}", number + 1
    shutil.move(folder, target)
    print(f"damaged checkpoint: {reason}; moved to {target}", flush=True)
