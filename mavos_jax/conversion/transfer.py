"""Whole files of weights: a PyTorch file into a checkpoint, and a checkpoint into such a file."""

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path

import jax

from mavos_jax.checkpoints.folder import load, require_free, save
from mavos_jax.checkpoints.mismatch import Problems, abbreviate
from mavos_jax.config import Experiment
from mavos_jax.conversion.convert import convert_state_dict, to_state_dict, torch_shapes
from mavos_jax.conversion.recognise import describe_misfit, recognise
from mavos_jax.conversion.weight_files import read_weight_file, write_weight_file
from mavos_jax.models.mavos import Variables, build_model, init_variables
from mavos_jax.runtime.files import require_writable_parent


@dataclasses.dataclass(frozen=True)
class Report:
    """What a conversion did; its text is for the user."""

    source: Path
    kind: str
    num_used: int
    dropped: Mapping[str, int]  # tensors left out, by kind
    others: tuple[str, ...]  # the file's entries beside the tensors
    fresh: tuple[str, ...]  # what it lacks
    expected: tuple[str, ...]
    num_parameters: int  # without batch-norm vectors and buffers
    prefixes: tuple[str, ...] = ()  # what was taken off names
    output: Path | None = None

    def __str__(self) -> str:
        dropped = [f"{kind} ({count})" for kind, count in self.dropped.items()]
        if self.others:
            dropped.append(f"entries beside the weights ({', '.join(self.others)})")
        fresh = "nothing"
        if self.fresh:
            names = abbreviate(self.fresh, self.expected)
            fresh = f"{len(self.fresh)} tensors: {names}"
        taken_off = [f"taken off the names: {', '.join(self.prefixes)}"] if self.prefixes else []
        lines = [
            f"recognised: {self.source} as {self.kind}",
            *taken_off,
            f"used: {self.num_used} tensors",
            f"dropped: {', '.join(dropped) or 'nothing'}",
            f"starts fresh: {fresh}",
            f"parameters: {self.num_parameters:,}",
        ]
        lines += [f"written: {self.output}"] if self.output else []
        return "\n".join(lines)


def convert_file(
    config: Experiment,
    source: Path,
    output: Path,
    *,
    seed: int = 0,
    allow_missing: bool = False,
    overwrite: bool = False,
) -> Report:
    """Converts a file of PyTorch weights into a checkpoint that :func:`load` reads.

    The file may be a full model, DeAOT-L's pre-training or an ImageNet encoder; the rest starts
    fresh. ``allow_missing`` also initialises what else is missing, and drops what is unexpected.
    """
    require_free(output, overwrite=overwrite)
    variables, report = read_variables(config, source, seed=seed, allow_missing=allow_missing)
    save(output, config, variables, overwrite=overwrite)
    return dataclasses.replace(report, output=output)


def read_variables(
    config: Experiment, source: Path, *, seed: int = 0, allow_missing: bool = False
) -> tuple[Variables, Report]:
    """Converts like :func:`convert_file`, into NumPy arrays and a report; writes nothing."""
    file = read_weight_file(source)
    weights = recognise(config, file.state)
    problems, fresh = weights.problems(config)
    used = {name: x for name, x in weights.state.items() if name not in problems.unexpected}
    blocking = Problems(mismatched=problems.mismatched) if allow_missing and used else problems
    if blocking:
        raise ValueError(
            f"{source}: expected weights for configuration {config.name!r} "
            f"({config.encoder.kind}), found {describe_misfit(config, file.state, blocking)}"
        )
    fresh += problems.missing
    added = {}
    if fresh:
        state = to_state_dict(config, init_variables(build_model(config), seed))
        added = {name: state[name] for name in fresh}
    variables = convert_state_dict(config, used | added)
    unexpected = {"unexpected names": len(problems.unexpected)} if problems.unexpected else {}
    report = Report(
        source=source,
        kind=weights.kind,
        num_used=len(used),
        dropped=weights.surplus | unexpected,
        others=file.others,
        fresh=fresh,
        expected=tuple(torch_shapes(config)),
        num_parameters=_num_parameters(variables),
        prefixes=file.prefixes,
    )
    return variables, report


def export_file(checkpoint: Path, output: Path, *, overwrite: bool = False) -> str:
    """Writes a checkpoint's weights in the format of the suffix, and says what it did."""
    require_writable_parent(output)
    if Path(checkpoint).resolve() in Path(output).resolve().parents:
        raise ValueError(
            f"{output}: expected a path outside the checkpoint that is read, found one inside "
            f"{checkpoint}; choose another"
        )
    if os.path.isdir(output) or (os.path.lexists(output) and not overwrite):
        raise ValueError(
            f"{output}: expected a path where no file is yet; choose another, or pass --overwrite"
        )
    model, variables = load(checkpoint)
    state = to_state_dict(model.config, variables)
    write_weight_file(output, state)
    return "\n".join(
        (
            f"read: {checkpoint}, configuration {model.config.name!r}",
            f"parameters: {_num_parameters(variables):,}",
            f"written: {output}, {len(state)} tensors under their PyTorch names",
        )
    )


def _num_parameters(variables: Variables) -> int:
    return sum(leaf.size for leaf in jax.tree.leaves(variables["params"]))
