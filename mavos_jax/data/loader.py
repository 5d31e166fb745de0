"""Batches of clips as a pure function of (seed, step), decoded in threads or processes (grain)."""

import contextlib
import functools
import multiprocessing
import os
import signal
import threading
import time
import weakref
from collections.abc import Iterator, Sequence
from multiprocessing import resource_tracker
from typing import Any, NamedTuple

import numpy as np

from mavos_jax.config.data import DataConfig
from mavos_jax.data.clips import ClipRecipe, Drawn, VideoKey
from mavos_jax.media.samples import VideoSet

_SEEDS = 2**32
_WATCH_S = 1.0
_NOTICES = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)  # reach all processes of a run
_DEATH = "Worker process was terminated unexpectedly"  # grain's words for a dead process


class Batch(NamedTuple):
    """Clips of one step, of one process."""

    frames: np.ndarray  # uint8 RGB [b, T, S, S, 3]
    masks: np.ndarray  # uint8 slots [b, T, S, S]: 0 = background, 1..n the objects, 255 = ignored
    num_objects: np.ndarray  # int32 [b], n of each clip, 1 to 10
    places: np.ndarray  # int32 [b], of the clips in the global batch


def make_loader(
    data: DataConfig,
    sets: Sequence[VideoSet],
    *,
    seed: int,
    batch_size: int,
    start_step: int = 0,
    process_index: int = 0,
    process_count: int = 1,
) -> "Loader":
    """Opens the endless stream of training batches, from ``start_step`` on.

    Step ``s`` holds the same clips in the same order for any number of processes, loader processes
    and threads, and wherever the stream started. Each set is shuffled again for every pass over it;
    its share of the clips is its number of videos times ``repeats``.

    Of the ``batch_size`` clips of a step over all processes, this one gets every
    ``process_count``-th from ``process_index`` on.
    """
    if not 0 <= seed < _SEEDS:
        raise ValueError(f"seed: expected 0 to 2**32 - 1, found {seed}")
    if empty := [videos.name for videos in sets if not len(videos)]:
        raise ValueError(f"{empty[0]}: expected videos, found none; look at its root")
    import grain
    from absl import flags

    if not flags.FLAGS.is_parsed():
        flags.FLAGS.mark_as_parsed()  # grain's processes ask for flags that only absl's app parses
    videos = [
        grain.MapDataset.range(len(videos))
        .map(functools.partial(VideoKey, number))
        .shuffle(seed=(seed + number * 7919) % _SEEDS)
        .repeat(None)
        for number, videos in enumerate(sets)
    ]
    weights = set_weights(data, sets)
    stream = grain.MapDataset.mix(videos, weights) if len(videos) > 1 else videos[0]
    recipe = ClipRecipe(data, tuple(sets), tuple(weight / sum(weights) for weight in weights))
    # The numbers that a clip is drawn from follow its place in this stream: slicing comes after.
    place = functools.partial(_place, batch_size)
    clips = stream.random_map(recipe.draw, seed=seed).map_with_index(place)
    local_size = batch_size // process_count
    records = clips[process_index::process_count][start_step * local_size :]
    return Loader(_iterate(records, data, local_size))


def set_weights(data: DataConfig, sets: Sequence[VideoSet]) -> list[float]:
    """Returns what the shares of the sets in the clips are proportional to."""
    return [len(part) * source.repeats for part, source in zip(sets, data.sources, strict=True)]


class Loader(Iterator[Batch], contextlib.AbstractContextManager["Loader"]):
    """An endless iterator over batches, to be closed; after an error it can only raise it again."""

    def __init__(self, steps: Any) -> None:
        self.waited = 0.0  # seconds that the last batch was waited for
        self.damaged: tuple[str, ...] = ()  # lines about samples that others replaced in that batch
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
            with contextlib.nullcontext() if self._is_begun else _held_signals():
                batch, damaged = next(self._steps[0])
            self._is_begun = True
        except Exception as error:
            self._error = _explain_death(error)
            self.close()
            if self._error is error:
                raise
            raise self._error from error
        self.waited, self.damaged = time.perf_counter() - start, damaged
        return batch

    def close(self) -> None:
        """Ends its threads and processes."""
        self._finalizer()
        if self._error is None:
            self._error = ValueError("expected an open loader, found it closed")

    def __exit__(self, *_: object) -> None:
        self.close()


def _place(batch_size: int, index: int, drawn: Drawn) -> tuple[int, Drawn]:
    return index % batch_size, drawn


def _stack(clips: Sequence[tuple[int, Drawn]]) -> tuple[Batch, tuple[str, ...]]:
    """Returns a batch, and one line for each damaged sample that it would have had."""
    places, drawn = zip(*clips, strict=True)
    # From a loader process they come as a subclass of arrays that live in shared memory.
    batch = Batch(
        np.stack([np.asarray(clip.crops.frames) for clip in drawn]),
        np.stack([np.asarray(clip.crops.masks) for clip in drawn]),
        np.array([clip.crops.num_objects for clip in drawn], np.int32),
        np.array(places, np.int32),
    )
    return batch, tuple(line for clip in drawn for line in clip.damaged)


def _close(steps: list[Any]) -> None:
    while steps:
        steps.pop().close()


def _iterate(records: Any, data: DataConfig, local_size: int) -> Any:
    """Starts making clips ahead, in threads of this process or of others, and batches them."""
    import grain

    # Threads and processes make clips: the first batch comes sooner, less memory waits.
    ahead = data.prefetch * local_size
    waiting = data.threads if data.workers else max(data.threads, ahead)
    clips = records.to_iter_dataset(grain.ReadOptions(data.threads, waiting))
    if data.workers:
        processes = grain.MultiprocessingOptions(data.workers, -(-ahead // data.workers))
        clips = clips.mp_prefetch(processes, worker_init_fn=_begin_process)
    steps = iter(clips.batch(local_size, drop_remainder=True, batch_fn=_stack))
    with _held_signals():
        steps.start_prefetch()
    return steps


@contextlib.contextmanager
def _held_signals() -> Iterator[None]:
    """Shields the processes that the block starts from requests to stop."""
    # They inherit the blocks. Python's tracker of shared memory would die of a signal.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGUSR1,))
    try:
        resource_tracker.ensure_running()  # unblocks the two others
        signal.pthread_sigmask(signal.SIG_BLOCK, _NOTICES)
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _begin_process(index: int, count: int) -> None:
    """Sets up a loader process, which only its parent ends."""
    # The parent still needs batches until it has written its checkpoint.
    for number in _NOTICES:
        signal.signal(number, signal.SIG_IGN)
    parent = multiprocessing.parent_process()

    def end_with_parent() -> None:
        while parent is not None and os.getppid() == parent.pid:
            time.sleep(_WATCH_S)
        os._exit(1)

    # A parent that is killed leaves its processes behind, which would keep their shared memory.
    threading.Thread(target=end_with_parent, daemon=True).start()


def _explain_death(error: Exception) -> Exception:
    if not (isinstance(error, RuntimeError) and str(error).startswith(_DEATH)):
        return error
    code = str(error).removeprefix(_DEATH).partition(".")[0].strip()
    return ValueError(
        f"a loader process died ({code}); it was killed from outside or memory ran out: give lower "
        "data.workers, data.threads or data.prefetch, or more memory or /dev/shm; data.workers 0 "
        "loads in threads and needs no /dev/shm"
    )
