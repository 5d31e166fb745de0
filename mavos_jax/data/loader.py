"""Batches of clips as a pure function of (seed, step), decoded in threads or processes (grain)."""

from __future__ import annotations

import contextlib
import time
import weakref
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from mavos_jax.config.data import DataConfig
from mavos_jax.data.draws import ClipRecipe, Drawn, VideoKey
from mavos_jax.data.loader_process import begin_process, explain_death, held_signals
from mavos_jax.media.samples import VideoSet

_SEEDS = 2**32


class Batch(NamedTuple):
    """Clips of one step, of one process.

    Attributes:
      frames: uint8 RGB [b, T, S, S, 3].
      masks: uint8 slots [b, T, S, S]: 0 = background, 1..n the objects, 255 = ignored.
      num_objects: int32 [b], n of each clip, 1 to 10.
      index: int32 [b], the clip's place in the global batch.
    """

    frames: np.ndarray
    masks: np.ndarray
    num_objects: np.ndarray
    index: np.ndarray


def make_loader(
    data: DataConfig,
    sets: Sequence[VideoSet],
    *,
    seed: int,
    batch_size: int,
    start_step: int = 0,
    process_index: int = 0,
    process_count: int = 1,
) -> Loader:
    """Opens the endless stream of training batches.

    Step ``s`` holds the same clips in the same order for any number of processes, loader processes
    and threads, and wherever the stream started. Each set is shuffled anew for every pass over it;
    its share of the clips is its number of videos times ``repeats``.

    Args:
      data: how clips are drawn and loaded.
      sets: the opened sets, one for each of ``data.sources``, in their order.
      seed: of everything random, 0 to 2**32 - 1.
      batch_size: clips of a step over all processes, a multiple of ``process_count``.
      start_step: the step of the first batch.
      process_index: which of the processes that train this is. Its clips are the places
        ``process_index``, ``process_index + process_count``, ... of the global batch.
      process_count: processes that train.

    Raises:
      ValueError: an argument is out of range, or a set is empty.
    """
    _check(data, sets, seed, batch_size, start_step, process_index, process_count)
    import grain
    from absl import flags

    if not flags.FLAGS.is_parsed():
        flags.FLAGS.mark_as_parsed()  # grain's processes ask for flags that only absl's app parses
    videos = [
        grain.MapDataset.range(len(videos))
        .map(_Key(number))
        .shuffle(seed=(seed + number * 7919) % _SEEDS)
        .repeat(None)
        for number, videos in enumerate(sets)
    ]
    weights = set_weights(data, sets)
    stream = grain.MapDataset.mix(videos, weights) if len(videos) > 1 else videos[0]
    recipe = ClipRecipe(data, tuple(sets), tuple(weight / sum(weights) for weight in weights))
    # The numbers that a clip is drawn from follow its place in this stream: slicing comes after.
    clips = stream.random_map(recipe.draw, seed=seed).map_with_index(_Place(batch_size))
    local_size = batch_size // process_count
    records = clips[process_index::process_count][start_step * local_size :]
    return Loader(_iterate(records, data, local_size))


def set_weights(data: DataConfig, sets: Sequence[VideoSet]) -> list[float]:
    """Returns what the shares of the sets in the clips are proportional to."""
    return [len(part) * source.repeats for part, source in zip(sets, data.sources, strict=True)]


class Loader(Iterator[Batch]):
    """An endless iterator over batches, to be closed: a context manager.

    An error ends it: every later batch raises the same error, because going on would silently leave
    a batch out.

    Attributes:
      waited: seconds that the last batch was waited for.
      damaged: one line for each damaged sample that another clip replaced in the last batch, with
        the file; only with ``skip_damaged``.
    """

    def __init__(self, steps: Any) -> None:
        self.waited = 0.0
        self.damaged: tuple[str, ...] = ()
        self._steps = [steps]
        self._is_begun = False
        # At the latest before the interpreter takes apart what closing needs.
        self._finalizer = weakref.finalize(self, _close, self._steps)
        self._error: Exception | None = None

    def __next__(self) -> Batch:
        if self._error is not None:
            raise self._error
        start = time.perf_counter()
        try:
            # Its processes are started by the first call, from threads that it starts.
            with contextlib.nullcontext() if self._is_begun else held_signals():
                step = next(self._steps[0])
            self._is_begun = True
        except Exception as error:
            self._error = explain_death(error)
            self.close()
            if self._error is error:
                raise
            raise self._error from error
        self.waited = time.perf_counter() - start
        self.damaged = step.damaged
        return step.batch

    def close(self) -> None:
        """Ends its threads and processes."""
        self._finalizer()
        if self._error is None:
            self._error = ValueError("expected an open loader, found it closed")

    def __enter__(self) -> Loader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Key:
    """Adds the number of its set to the number of a video."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __call__(self, video: int) -> VideoKey:
        return VideoKey(self.number, int(video))


class _Place:
    """Adds to a clip its place in the global batch."""

    def __init__(self, batch_size: int) -> None:
        self.batch_size = batch_size

    def __call__(self, index: int, drawn: Drawn) -> tuple[int, Drawn]:
        return index % self.batch_size, drawn


class _Step(NamedTuple):
    """A batch and one line for each damaged sample that it would have had."""

    batch: Batch
    damaged: tuple[str, ...]


def _stack(clips: Sequence[tuple[int, Drawn]]) -> _Step:
    """Stacks clips to a batch of this process's own memory."""
    places, drawn = zip(*clips, strict=True)
    # From a loader process they come as a subclass of arrays that live in shared memory.
    batch = Batch(
        np.stack([np.asarray(clip.crops.frames) for clip in drawn]),
        np.stack([np.asarray(clip.crops.masks) for clip in drawn]),
        np.array([clip.crops.num_objects for clip in drawn], np.int32),
        np.array(places, np.int32),
    )
    return _Step(batch, tuple(line for clip in drawn for line in clip.damaged))


def _close(steps: list[Any]) -> None:
    """Closes an iterator and drops it with the clips that wait in it."""
    while steps:
        steps.pop().close()


def _iterate(records: Any, data: DataConfig, local_size: int) -> Any:
    """Starts making clips ahead, in threads of this process or of others, and batches them."""
    import grain

    # Clips rather than batches are handed out to threads and processes: the first batch is ready
    # sooner, and less memory waits. Grain's default would be 16 threads and 500 clips ahead.
    ahead = data.prefetch * local_size
    options = grain.ReadOptions(
        data.threads, data.threads if data.workers else max(data.threads, ahead)
    )
    clips = records.to_iter_dataset(options)
    if data.workers:
        processes = grain.MultiprocessingOptions(data.workers, -(-ahead // data.workers))
        clips = clips.mp_prefetch(processes, worker_init_fn=begin_process)
    steps = iter(clips.batch(local_size, drop_remainder=True, batch_fn=_stack))
    with held_signals():
        steps.start_prefetch()
    return steps


def _check(
    data: DataConfig,
    sets: Sequence[VideoSet],
    seed: int,
    batch_size: int,
    start_step: int,
    process_index: int,
    process_count: int,
) -> None:
    if len(sets) != len(data.sources):
        raise ValueError(
            f"sets: expected one for each of the {len(data.sources)} data.sources, got {len(sets)}"
        )
    for videos in sets:
        if not len(videos):
            raise ValueError(f"{videos.name}: expected videos, found none; look at its root")
    if not 0 <= seed < _SEEDS:
        raise ValueError(f"seed: expected 0 to 2**32 - 1, got {seed}")
    if start_step < 0:
        raise ValueError(f"start_step: expected 0 or more, got {start_step}")
    if not 0 <= process_index < process_count:
        raise ValueError(
            f"process_index: expected less than the {process_count} processes, got {process_index}"
        )
    if batch_size < 1 or batch_size % process_count:
        raise ValueError(
            f"batch_size: expected a multiple of the {process_count} processes, got {batch_size}"
        )
