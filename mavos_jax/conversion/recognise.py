"""What a file of weights is: a full model, DeAOT-L's pre-training, or an ImageNet encoder alone."""

import dataclasses
import re
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from mavos_jax.checkpoints.mismatch import Problems, abbreviate
from mavos_jax.config import Experiment, LSTTConfig, MemoryConfig, ResNetConfig, SwinConfig
from mavos_jax.conversion.convert import NOT_FINITE, find_problems, torch_shapes
from mavos_jax.conversion.encoders import encoder_kind, has_mark, pytorch_encoder
from mavos_jax.conversion.rules import computed_buffers, conversion_rules

_MCA = "long_term_memory_attention."
_PARTS_OF_A_MODEL = ("encoder.", "encoder_projector.", "LSTT.", "decoder.", "patch_wise_id_bank.")
_ENCODER = "encoder."
_MARK_OF_TORCHVISION_SWIN = r"features\.\d+\.\d+\.attn\."
_BUFFERS = {"num_batches_tracked": r"(^|.*\.)num_batches_tracked", "attn_mask": r".*\.attn_mask"}
"""Buffers of PyTorch modules that the network has no use for, in any file."""

_KNOWN_CONFIGS = {
    "configs/mavos.py": Experiment(name="mavos"),
    "configs/r50_mavos.py": Experiment(name="r50_mavos", encoder=ResNetConfig()),
    "configs/swinb_mavos.py": Experiment(
        name="swinb_mavos", encoder=SwinConfig(), align_corners=False
    ),
    "configs/deaot_l.py": Experiment(name="deaot_l", memory=MemoryConfig(policy="bank")),
    "configs/aot_l.py": Experiment(
        name="aot_l", elstt=LSTTConfig(), memory=MemoryConfig(policy="bank")
    ),
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
        problems = find_problems(config, self.state)
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
    kept, surplus = _drop(state, _BUFFERS | dict(pytorch_encoder(config.encoder).surplus))
    encoder = {f"{_ENCODER}{name}": array for name, array in kept.items()}
    # Swin's normalisations of the three outputs do not exist in a classifier.
    return Weights("an encoder alone", encoder, surplus, r"(?!encoder\.).*|encoder\.norm\d\..*")


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
    elif set(problems.mismatched.values()) == {NOT_FINITE}:
        fix = "get the file again, or choose weights of an earlier step"
    elif found != config.encoder.kind:
        fix = f"choose a configuration with the encoder {found}"
    else:
        fix = "choose the configuration that the file was trained with"
        if not problems.mismatched:
            fix += ", or pass --allow-missing to initialise what is missing and drop the rest"
    other = f"those of {found}: " if found != config.encoder.kind else ""
    summary = problems.summary(torch_shapes(config), recognise(config, state).state)
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
