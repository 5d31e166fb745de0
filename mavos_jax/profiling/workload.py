"""What is measured on: a network, frames of random pixels and a mask of stripes."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mavos_jax.checkpoints.folder import load
from mavos_jax.config import Experiment
from mavos_jax.inference.geometry import Sizes, geometries, padded_size
from mavos_jax.inference.objects import num_groups, num_identities
from mavos_jax.inference.programs import Geometries, States, start_video
from mavos_jax.models.mavos import MAVOS, Variables, build_model, init_variables
from mavos_jax.models.prepare import prepare_variables
from mavos_jax.profiling.precision import Precision, with_precision
from mavos_jax.runtime.devices import products_in

_NUM_FRAMES = 4
"""Different frames; a longer video repeats them."""


class Network(NamedTuple):
    """A network to measure.

    Attributes:
      experiment: that defines it.
      checkpoint: the folder of its weights, or None for fresh ones.
    """

    experiment: Experiment
    checkpoint: Path | None = None

    def variables(self) -> Variables:
        """Loads or draws the weights."""
        if self.checkpoint is None:
            return init_variables(build_model(self.experiment))
        return load(self.checkpoint)[1]


class Setting(NamedTuple):
    """What a network is measured with.

    Attributes:
      size: height and width of the frames, in pixels.
      objects: objects in the video.
      precision: of products and convolutions.
    """

    size: tuple[int, int]
    objects: int
    precision: Precision


class Workload(NamedTuple):
    """A network and a setting, ready to run.

    Attributes:
      model: the network.
      variables: its variables, on the device.
      setting: what it is measured with.
      views: how frames enter the network, on the device.
      frames: uint8 [t, H, W, 3], random, padded.
      slots: uint8 [H, W], padded; a vertical stripe for every object.
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
        model = build_model(with_precision(experiment, setting.precision))
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

    def start(self) -> States:
        """Returns the state after the first frame."""
        with products_in(self.setting.precision):
            return start_video(
                *(self.model, self.variables, self.views, jnp.asarray(self.frames[0]), self.slots),
                groups=self.groups,
                identities=self.identities,
            )

    def video(self, num_frames: int) -> Iterator[np.ndarray]:
        """Yields frames [H, W, 3] without padding."""
        height, width = self.setting.size
        for index in range(num_frames):
            yield self.frames[index % len(self.frames), :height, :width]


def device_name() -> str:
    """Names what the benchmark runs on."""
    device = jax.devices()[0]
    if device.platform == "cpu":
        return f"{os.cpu_count()} {platform.machine()} CPU cores"
    return device.device_kind


def _stripes(size: tuple[int, int], objects: int) -> np.ndarray:
    """A mask in which every object has a vertical stripe."""
    row = np.arange(size[1]) * (objects + 1) // size[1]
    return np.broadcast_to(row, size).astype(np.uint8)
