"""The compiled scan over a chunk of frames."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mavos_jax.inference.batch import segment_chunks, start_videos
from mavos_jax.inference.programs import segment_chunk
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
        objects = jnp.int32(workload.setting.objects)
        self._workload = workload
        with products_in(workload.setting.precision):
            if videos == 1:
                self._states = workload.start()
                self._frames = jnp.asarray(frames)
                self._counts = (jnp.int32(chunk_frames), objects)
                program, options = segment_chunk, {"logits_form": "none"}
            else:
                frames = np.broadcast_to(frames, (videos, *frames.shape))
                slots = np.broadcast_to(workload.slots, (videos, *workload.slots.shape))
                self._states = start_videos(
                    *(workload.model, workload.variables, workload.views, frames[:, 0], slots),
                    groups=workload.groups,
                    identities=workload.identities,
                )
                self._frames = jnp.asarray(frames)
                self._counts = (jnp.int32(chunk_frames), jnp.full(videos, objects))
                program, options = segment_chunks, {}
            self.program = compile_program(
                program,
                *(workload.model, *self._arguments(1)),
                identities=workload.identities,
                **options,
            )
        self.carry_bytes = sum(x.nbytes for x in jax.tree.leaves(self._states))

    def frame_seconds(self, gap: int, num_frames: int) -> float:
        """Returns the mean time of a frame of one video over whole chunks of at least so many."""
        chunks = -(-num_frames // self._chunk_frames)
        frames = chunks * self._chunk_frames * self._videos
        return seconds(lambda: self._run(gap, chunks)) / frames

    def _run(self, gap: int, chunks: int) -> Any:
        outputs = None
        for _ in range(chunks):
            self._states, outputs = self.program.run(*self._arguments(gap))
        return self._states, outputs

    def _arguments(self, gap: int) -> tuple[Any, ...]:
        scalars = (*self._counts, jnp.int32(gap))
        load = self._workload
        memorise_with = (None,) if self._videos == 1 else ()
        inputs = (self._frames, *memorise_with, scalars)
        return load.variables, load.views, self._states, *inputs
