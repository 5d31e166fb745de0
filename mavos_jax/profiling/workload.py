"""What is measured on: a network, frames of random pixels and a mask of stripes."""

import dataclasses
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mavos_jax.checkpoints.weights import load
from mavos_jax.config import Experiment
from mavos_jax.config.experiment import read_config_file
from mavos_jax.inference.geometry import Geometries, Sizes, geometries, padded_size
from mavos_jax.inference.objects import num_groups, num_identities
from mavos_jax.inference.programs import segment_chunks, start_videos
from mavos_jax.models.mavos import MAVOS, Variables, build_model, init_variables
from mavos_jax.models.prepare import prepare_variables
from mavos_jax.profiling.measuring import compile_program, seconds
from mavos_jax.runtime.devices import products_in
from mavos_jax.runtime.progress import say

Precision = Literal["float32", "bfloat16", "tf32"]  # as in ``inference.precision``
NEVER = 2**30  # a gap that no video here reaches: no long-term writes
_NUM_FRAMES = 4  # different frames; a longer video repeats them


class Contender(NamedTuple):
    """A network that takes its turn, with a checkpoint of its weights or fresh ones."""

    experiment: Experiment
    checkpoint: Path | None = None

    def variables(self) -> Variables:
        """Loads or draws the weights."""
        if self.checkpoint is None:
            say(f"{self.experiment.name}: fresh weights")
            return init_variables(build_model(self.experiment))
        return load(self.checkpoint)[1]


def read_networks(
    experiment: Experiment, checkpoint: Path | None, against: Sequence[Path]
) -> list[Contender]:
    """Returns a network and those of other configuration files."""
    return [Contender(experiment, checkpoint), *(Contender(read_config_file(x)) for x in against)]


class Setting(NamedTuple):
    """What a network is measured with; ``size`` is the height and width of the frames."""

    size: tuple[int, int]
    objects: int
    precision: Precision

    def __str__(self) -> str:
        height, width = self.size
        return f"{height}x{width}, {self.objects} objects, {self.precision}"


def read_size(text: str, option: str = "--size") -> tuple[int, int]:
    """Reads a height and a width such as 480x854."""
    found = re.fullmatch(r"(\d{1,5})x(\d{1,5})", text)
    if found is None or min(int(found[1]), int(found[2])) < 32:
        raise ValueError(
            f"{option}: expected HEIGHTxWIDTH of at least 32 pixels, such as 480x854, found {text}"
        )
    return int(found[1]), int(found[2])


def available(precisions: Sequence[Precision]) -> tuple[Precision, ...]:
    """Returns the precisions that differ on this device; names one that is left out."""
    if jax.default_backend() == "cpu" and "tf32" in precisions:
        say("tf32 left out: on a CPU it equals float32")
        precisions = ["float32" if name == "tf32" else name for name in precisions]
    return tuple(dict.fromkeys(precisions))


class Workload(NamedTuple):
    """A network and a setting, ready to run, with variables and views on the device."""

    model: MAVOS
    variables: Variables
    setting: Setting
    views: Geometries
    frames: np.ndarray  # random, padded
    slots: np.ndarray  # a vertical stripe for every object, padded

    @classmethod
    def build(cls, experiment: Experiment, variables: Variables, setting: Setting) -> "Workload":
        """Prepares a network for a setting; compiles nothing."""
        inference = dataclasses.replace(experiment.inference, precision=setting.precision)
        model = build_model(dataclasses.replace(experiment, inference=inference))
        height, width = padded_size(setting.size)
        stripes = np.arange(width) * (setting.objects + 1) // width
        random = np.random.default_rng(0)
        return cls(
            model,
            jax.device_put(prepare_variables(model, variables)),
            setting,
            jax.device_put(geometries(model.config, Sizes(setting.size, setting.size))),
            random.integers(0, 256, (_NUM_FRAMES, height, width, 3), dtype=np.uint8),
            np.broadcast_to(stripes, (height, width)).astype(np.uint8),
        )

    @property
    def mask(self) -> np.ndarray:
        """The first frame's mask without padding."""
        height, width = self.setting.size
        return self.slots[:height, :width]

    def video(self, num_frames: int) -> Iterator[np.ndarray]:
        """Yields frames [H, W, 3] without padding."""
        height, width = self.setting.size
        for index in range(num_frames):
            yield self.frames[index % len(self.frames), :height, :width]


class Scan:
    """The compiled scan over chunks of frames; every run goes on where the last one stopped."""

    def __init__(self, workload: Workload, chunk_frames: int, videos: int = 1) -> None:
        self._workload, self._chunk_frames, self._videos = workload, chunk_frames, videos
        objects = workload.setting.objects
        identities = num_identities(objects)

        def each(array: np.ndarray) -> np.ndarray:
            return np.broadcast_to(array, (videos, *array.shape))

        frames = np.resize(workload.frames, (chunk_frames, *workload.frames.shape[1:]))
        self._frames = jnp.asarray(each(frames))
        self._counts = (jnp.int32(chunk_frames), jnp.full(videos, objects, jnp.int32))
        with products_in(workload.setting.precision):
            self._state = start_videos(
                *(workload.model, workload.variables, workload.views),
                *(each(workload.frames[0]), each(workload.slots)),
                groups=num_groups(objects),
                identities=identities,
            )
            self.program = compile_program(
                segment_chunks,
                *(workload.model, *self._arguments(1)),
                identities=identities,
                logits_form="none",
            )
        self.carry_bytes = sum(x.nbytes for x in jax.tree.leaves(self._state))

    def frame_seconds(self, gap: int, num_frames: int) -> float:
        """Returns the mean time of a frame of one video over whole chunks of at least so many."""
        chunks = -(-num_frames // self._chunk_frames)
        frames = chunks * self._chunk_frames * self._videos
        return seconds(lambda: self._run(gap, chunks)) / frames

    def _run(self, gap: int, chunks: int) -> Any:
        outputs = None
        for _ in range(chunks):
            self._state, outputs = self.program.run(*self._arguments(gap))
        return self._state, outputs

    def _arguments(self, gap: int) -> tuple[Any, ...]:
        scalars = (*self._counts, jnp.int32(gap))
        load = self._workload
        return load.variables, load.views, self._state, self._frames, None, scalars
