"""What is measured on: a network, frames of random pixels and a mask of stripes."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import jax
import numpy as np

from mavos_jax.checkpoints.folder import load
from mavos_jax.config import Experiment
from mavos_jax.config.files import read_config_file
from mavos_jax.inference.frame import VideoState
from mavos_jax.inference.geometry import Geometries, Sizes, geometries, padded_size
from mavos_jax.inference.objects import num_groups, num_identities
from mavos_jax.inference.programs import start_videos
from mavos_jax.models.mavos import MAVOS, Variables, build_model, init_variables
from mavos_jax.models.prepare import prepare_variables
from mavos_jax.profiling.measuring import announce
from mavos_jax.runtime.devices import products_in

Precision = Literal["float32", "bfloat16", "tf32"]
"""As in ``inference.precision``."""

_NUM_FRAMES = 4
"""Different frames; a longer video repeats them."""


class Network(NamedTuple):
    """A network to measure, with the folder of its weights or fresh ones."""

    experiment: Experiment
    checkpoint: Path | None = None

    def variables(self) -> Variables:
        """Loads or draws the weights."""
        if self.checkpoint is None:
            announce(f"{self.experiment.name}: fresh weights")
            return init_variables(build_model(self.experiment))
        return load(self.checkpoint)[1]


def read_networks(
    experiment: Experiment, checkpoint: Path | None, against: Sequence[Path]
) -> list[Network]:
    """Returns a network and those of other configuration files."""
    return [Network(experiment, checkpoint), *(Network(read_config_file(x)) for x in against)]


class Setting(NamedTuple):
    """What a network is measured with; ``size`` is the height and width of the frames."""

    size: tuple[int, int]
    objects: int
    precision: Precision

    def __str__(self) -> str:
        height, width = self.size
        return f"{height}x{width}, {self.objects} objects, {self.precision}"


class Workload(NamedTuple):
    """A network and a setting, ready to run, with variables and views on the device.

    ``frames`` are random, uint8 [t, H, W, 3]; ``slots``, uint8 [H, W], has a vertical stripe for
    every object. Both are padded.
    """

    model: MAVOS
    variables: Variables
    setting: Setting
    views: Geometries
    frames: np.ndarray
    slots: np.ndarray

    @classmethod
    def build(cls, experiment: Experiment, variables: Variables, setting: Setting) -> Workload:
        """Prepares a network for a setting; compiles nothing."""
        inference = dataclasses.replace(experiment.inference, precision=setting.precision)
        model = build_model(dataclasses.replace(experiment, inference=inference))
        padded = padded_size(setting.size)
        random = np.random.default_rng(0)
        return cls(
            model,
            jax.device_put(prepare_variables(model, variables)),
            setting,
            jax.device_put(geometries(model.config, Sizes(setting.size, setting.size))),
            random.integers(0, 256, (_NUM_FRAMES, *padded, 3), dtype=np.uint8),
            _stripes(padded, setting.objects),
        )

    @property
    def groups(self) -> int:
        """Groups of ten objects."""
        return num_groups(self.setting.objects)

    @property
    def identities(self) -> int:
        """Channels of a group that can be in use."""
        return num_identities(self.setting.objects)

    @property
    def mask(self) -> np.ndarray:
        """The first frame's mask without padding."""
        height, width = self.setting.size
        return self.slots[:height, :width]

    def start(self, videos: int = 1) -> VideoState:
        """Returns the state after the first frame of so many equal videos."""
        frames, slots = (
            np.broadcast_to(x, (videos, *x.shape)) for x in (self.frames[0], self.slots)
        )
        with products_in(self.setting.precision):
            return start_videos(
                *(self.model, self.variables, self.views, frames, slots),
                groups=self.groups,
                identities=self.identities,
            )

    def video(self, num_frames: int) -> Iterator[np.ndarray]:
        """Yields frames [H, W, 3] without padding."""
        height, width = self.setting.size
        for index in range(num_frames):
            yield self.frames[index % len(self.frames), :height, :width]


def available(precisions: Sequence[Precision]) -> tuple[Precision, ...]:
    """Returns the precisions that differ on this device; names one that was left out."""
    if jax.default_backend() == "cpu" and "tf32" in precisions:
        announce("tf32 left out: on a CPU it equals float32")
        precisions = ["float32" if name == "tf32" else name for name in precisions]
    return tuple(dict.fromkeys(precisions))


def _stripes(size: tuple[int, int], objects: int) -> np.ndarray:
    """A mask in which every object has a vertical stripe."""
    row = np.arange(size[1]) * (objects + 1) // size[1]
    return np.broadcast_to(row, size).astype(np.uint8)
