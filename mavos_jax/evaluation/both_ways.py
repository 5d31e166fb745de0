"""What segmenting from the middle of a video needs: frames and masks that are read backwards."""

import contextlib
import errno
import itertools
import math
import os
import signal
import tempfile
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from pathlib import Path
from types import FrameType
from typing import IO

import jax
import numpy as np

from mavos_jax.media.frames import FrameSource, ImageFolder
from mavos_jax.media.pictures import DamagedSample, Size, read_image

STOPS = KeyboardInterrupt, jax.errors.JaxRuntimeError
"""What ends the work on a video, while what is finished stays."""


class Spool:
    """Arrays of uint8 and one shape in a file that nobody else sees, one behind the other."""

    def __init__(self, file: IO[bytes], folder: Path, shape: tuple[int, ...]) -> None:
        self._file, self._folder, self._shape = file, folder, shape
        self._num_bytes = math.prod(shape)
        self._length = 0

    def append(self, array: np.ndarray) -> None:
        """Writes an array; an OSError, as for a full disk, names the folder."""
        try:
            self._file.seek(self._length * self._num_bytes)
            if self._file.write(array.tobytes()) < self._num_bytes:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self._folder)) from error
        self._length += 1

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> np.ndarray:
        self._file.seek(index * self._num_bytes)
        return np.frombuffer(self._file.read(self._num_bytes), np.uint8).reshape(self._shape)


@contextlib.contextmanager
def opened_spool(folder: Path, shape: tuple[int, ...]) -> Iterator[Spool]:
    """Opens a temporary file without a name in a folder, which is gone after the block."""
    # Without a buffer nothing is left to write, and to fail again, when it is closed.
    with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
        yield Spool(file, folder, shape)


@contextlib.contextmanager
def split_frames(
    frames: FrameSource, position: int, folder: Path
) -> Iterator[tuple[Callable[[int], np.ndarray], Iterator[np.ndarray]]]:
    """Yields what reads any frame up to a position, and an iterator over the frames from it on.

    Pictures of a folder are read where they are. A video file is decoded once, and its frames up to
    the position wait in a temporary file in ``folder``.
    """
    if not position:
        yield ().__getitem__, iter(frames)
        return
    if isinstance(frames, ImageFolder):
        files, size = frames.files, frames.size
        yield lambda index: read_image(files[index], size), iter(frames.starting_at(position))
        return
    others = iter(frames)
    with opened_spool(folder, (*frames.size, 3)) as spool:
        for frame in itertools.islice(others, position + 1):
            spool.append(frame)
        if len(spool) <= position:
            raise ValueError(
                f"{frames.origin}: expected a frame {position} to begin with, found {len(spool)} "
                "frames; choose an earlier one"
            )
        yield spool.__getitem__, itertools.chain([spool[position]], others)


@contextlib.contextmanager
def _postponed_interruption() -> Iterator[None]:
    """Raises the first KeyboardInterrupt after the block, the second at once."""
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    noted: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        if noted:
            raise KeyboardInterrupt
        noted.append(number)

    signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if noted:
        raise KeyboardInterrupt


def turned_round(
    masks: Iterable[np.ndarray],
    position: int,
    read: Callable[[int], np.ndarray],
    size: Size,
    folder: Path,
    on_mask: Callable[[], object],
) -> Generator[tuple[int, np.ndarray, np.ndarray]]:
    """Yields indices, frames and masks upwards, given the masks from frame ``position`` down to 0.

    That of ``position``, which comes from elsewhere, is left out. An interruption, a failing
    device or a damaged picture is raised after the masks that there are; so is an interruption
    while they are yielded. Close it, because it holds the handler of interruptions.
    """
    failure = None
    with opened_spool(folder, size) as spool:
        try:
            for ids in masks:
                if len(spool):
                    on_mask()
                spool.append(ids)
        except (*STOPS, DamagedSample) as error:
            failure = error
        is_second = isinstance(failure, KeyboardInterrupt)
        with contextlib.nullcontext() if is_second else _postponed_interruption():
            for index in range(position + 1 - len(spool), position):
                yield index, read(index), spool[position - index]
    if failure is not None:
        raise failure
