"""The compiled scan over a chunk of frames."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mavos_jax.inference.programs import segment_chunks
from mavos_jax.profiling.measuring import compile_program, seconds
from mavos_jax.profiling.workload import Workload
from mavos_jax.runtime.devices import products_in

NEVER = 2**30
"""A gap that no benchmark reaches: no long-term writes."""


class Scan:
    """The scan of a workload over chunks of frames; every run goes on where the last one stopped.

    Attributes:
      program: the compiled scan.
      carry_bytes: of the state that goes from frame to frame.
    """

    def __init__(self, workload: Workload, chunk_frames: int, videos: int = 1) -> None:
        self._chunk_frames, self._videos = chunk_frames, videos
        frames = np.resize(workload.frames, (chunk_frames, *workload.frames.shape[1:]))
        objects = jnp.full(videos, workload.setting.objects, jnp.int32)
        self._workload = workload
        self._frames = jnp.asarray(np.broadcast_to(frames, (videos, *frames.shape)))
        self._counts = (jnp.int32(chunk_frames), objects)
        self._state = workload.start(videos)
        with products_in(workload.setting.precision):
            self.program = compile_program(
                segment_chunks,
                *(workload.model, *self._arguments(1)),
                identities=workload.identities,
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
