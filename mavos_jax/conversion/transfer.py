"""Files of weights: recognises and converts them into checkpoints, and writes them from one."""

import dataclasses
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np

from mavos_jax.checkpoints.description import read_description
from mavos_jax.checkpoints.mismatch import Problems, abbreviate
from mavos_jax.checkpoints.weights import load_stored, require_free, save
from mavos_jax.config import Experiment, LSTTConfig, MemoryConfig, ResNetConfig, SwinConfig
from mavos_jax.conversion import convert
from mavos_jax.conversion.convert import computed_buffers, conversion_rules
from mavos_jax.conversion.encoders import encoder_kind, has_mark, pytorch_encoder
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
        fresh = f"{len(self.fresh)} tensors: {abbreviate(self.fresh, self.expected)}"
        lines = [
            f"recognised: {self.source} as {self.kind}",
            self.prefixes and f"taken off the names: {', '.join(self.prefixes)}",
            f"used: {self.num_used} tensors",
            f"dropped: {', '.join(dropped) or 'nothing'}",
            f"starts fresh: {fresh if self.fresh else 'nothing'}",
            f"parameters: {self.num_parameters:,}",
            self.output and f"written: {self.output}",
        ]
        return "\n".join(str(line) for line in lines if line)


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
        state = convert.to_state_dict(config, init_variables(build_model(config), seed))
        added = {name: state[name] for name in fresh}
    variables = convert.convert_state_dict(config, used | added)
    unexpected = {"unexpected names": len(problems.unexpected)} if problems.unexpected else {}
    report = Report(
        source=source,
        kind=weights.kind,
        num_used=len(used),
        dropped=weights.surplus | unexpected,
        others=file.others,
        fresh=fresh,
        expected=tuple(convert.torch_shapes(config)),
        num_parameters=_num_parameters(variables),
        prefixes=file.prefixes,
    )
    return variables, report


def export_file(checkpoint: Path, output: Path, *, overwrite: bool = False) -> str:
    """Writes a checkpoint's weights in the format of the suffix, and says what it did."""
    require_writable_parent(output)
    place = Path(output).resolve()
    if Path(checkpoint).resolve() in (place, *place.parents):
        raise ValueError(
            f"{output}: expected a path outside the checkpoint that is read, found it is or lies "
            f"inside {checkpoint}; choose another"
        )
    if os.path.isdir(output) or (os.path.lexists(output) and not overwrite):
        raise ValueError(
            f"{output}: expected a path where no file is yet; choose another, or pass --overwrite"
        )
    stored = read_description(checkpoint.absolute())
    model, variables = load_stored(stored)
    state = convert.to_state_dict(model.config, variables)
    write_weight_file(output, state)
    return (
        f"read: {checkpoint} ({stored.title})\n"
        f"parameters: {_num_parameters(variables):,}\n"
        f"written: {output}, {len(state)} tensors under their PyTorch names"
    )


def _num_parameters(variables: Variables) -> int:
    return sum(leaf.size for leaf in jax.tree.leaves(variables["params"]))


_MCA = "long_term_memory_attention."
_PARTS_OF_A_MODEL = ("encoder.", "encoder_projector.", "LSTT.", "decoder.", "patch_wise_id_bank.")
_ENCODER = "encoder."
_MARK_OF_TORCHVISION_SWIN = r"features\.\d+\.\d+\.attn\."
_BUFFERS = {
    "num_batches_tracked": r"(^|.*\.)num_batches_tracked",
    "attn_mask": r".*\.attn_mask",
    "n_averaged": "n_averaged",  # of torch.optim.swa_utils.AveragedModel
}
"""Buffers of PyTorch modules that the network has no use for, in any file."""

_BANK = MemoryConfig(policy="bank")
_KNOWN_CONFIGS = {
    "configs/mavos.py": Experiment(name="mavos"),
    "configs/r50_mavos.py": Experiment(name="r50_mavos", encoder=ResNetConfig()),
    "configs/swinb_mavos.py": Experiment(
        name="swinb_mavos", encoder=SwinConfig(), align_corners=False
    ),
    "configs/deaot_l.py": Experiment(name="deaot_l", memory=_BANK),
    "configs/aot_l.py": Experiment(name="aot_l", elstt=LSTTConfig(), memory=_BANK),
}
"""The released networks, for advice on files that do not fit."""


class Weights(NamedTuple):
    """The content of a file, as one configuration sees it, under a full model's names."""

    kind: str
    state: dict[str, np.ndarray]
    surplus: dict[str, int]  # what the network does not need, by kind
    optional: str  # a pattern of names that such a file lacks by its nature

    def problems(self, config: Experiment) -> tuple[Problems, tuple[str, ...]]:
        """Returns what is wrong, and the names that such a file lacks and that start fresh."""
        problems = convert.find_problems(config, self.state)
        fresh = tuple(name for name in problems.missing if re.fullmatch(self.optional, name))
        missing = tuple(name for name in problems.missing if name not in set(fresh))
        return dataclasses.replace(problems, missing=missing), fresh


def recognise(config: Experiment, state: Mapping[str, np.ndarray]) -> Weights:
    """Says what a state dictionary is and renames its arrays to those of a full model."""
    if state and all(name.startswith(_ENCODER) for name in state):
        state = {name.removeprefix(_ENCODER): array for name, array in state.items()}
    if any(name.startswith(_PARTS_OF_A_MODEL) for name in state):
        kept, surplus = _drop(state, _BUFFERS)
        if config.memory.is_modulated and not any(name.startswith(_MCA) for name in kept):
            kind = "a model without MCA (DeAOT-L pre-training)"
            return Weights(kind, kept, surplus, re.escape(_MCA) + ".*")
        return Weights("a full model", kept, surplus, "")
    names = pytorch_encoder(config.encoder)
    kept, surplus = _drop(state, _BUFFERS | dict(names.surplus))
    encoder = {f"{_ENCODER}{name}": array for name, array in kept.items()}
    optional = rf"(?!encoder\.).*|encoder\.({names.lacking})"
    return Weights("an encoder alone", encoder, surplus, optional)


def describe_misfit(config: Experiment, state: Mapping[str, np.ndarray], problems: Problems) -> str:
    """Returns what a file holds instead of the configuration's weights, and the fix."""
    found = encoder_kind(state)
    if found is None and has_mark(state, _MARK_OF_TORCHVISION_SWIN):
        return (
            "a Swin of torchvision, whose tensors have other names; choose a file of the original "
            "Swin Transformer code, whose names begin with patch_embed. and layers."
        )
    if found is None:
        what = f"no weights of MAVOS, DeAOT-L or an encoder, but {abbreviate(list(state), state)}"
        return f"{what}; check that this is the file you meant"
    fitting = [name for name, known in _KNOWN_CONFIGS.items() if _fits(known, state)]
    if fitting:
        fix = f"they fit --config {' or '.join(fitting)}"
    elif set(problems.mismatched.values()) == {convert.NOT_FINITE}:
        fix = "get the file again, or choose weights of an earlier step"
    elif found != config.encoder.kind:
        fix = f"choose a configuration with the encoder {found}"
    else:
        fix = "choose the configuration that the file was trained with"
        if not problems.mismatched:
            fix += ", or pass --allow_missing to initialise what is missing and drop the rest"
    other = f"those of {found}: " if found != config.encoder.kind else ""
    summary = problems.summary(convert.torch_shapes(config), recognise(config, state).state)
    return f"{other}{summary}; {fix}"


def _fits(config: Experiment, state: Mapping[str, np.ndarray]) -> bool:
    weights = recognise(config, state)
    names = {rule.torch for rule in conversion_rules(config)} | set(computed_buffers(config))
    # The names are known at once, the shapes only after a look through the network.
    return names.issuperset(weights.state) and not weights.problems(config)[0]


def _drop(
    state: Mapping[str, np.ndarray], patterns: Mapping[str, str]
) -> tuple[dict[str, np.ndarray], dict[str, int]]:
    """Splits off the names that fully match a pattern; returns the rest and the counts."""
    kept: dict[str, np.ndarray] = {}
    counts = dict.fromkeys(patterns, 0)
    for name, array in state.items():
        label = next((label for label, p in patterns.items() if re.fullmatch(p, name)), None)
        if label is None:
            kept[name] = array
        else:
            counts[label] += 1
    return kept, {label: count for label, count in counts.items() if count}
