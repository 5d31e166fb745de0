"""Tries one damaged input after another, and holds what readers do against the rules.

A reader may give a right result, or raise one line that names the file. Anything else is a failure:
another exception, a warning, words of a library on the standard error output, a hang, memory that
grows, files written or removed where they must not be.
"""

from __future__ import annotations

import contextlib
import functools
import io
import os
import random
import shutil
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from mutation.media_subjects import Pictures, Video
from mutation.pictures import change_jpeg, change_png, sound_jpegs, sound_pngs
from mutation.run_subjects import Metadata, Records, Scores, Submission
from mutation.subject import Places, Reader, Subject, put
from mutation.weight_subjects import Checkpoint, Npz, Safetensors, Torch

SUBJECTS: dict[str, Callable[[Places], Subject]] = {
    "png": functools.partial(Pictures, ".png", sound_pngs, change_png),
    "jpeg": functools.partial(Pictures, ".jpg", sound_jpegs, change_jpeg),
    "mp4": Video,
    "npz": Npz,
    "safetensors": Safetensors,
    "pth": Torch,
    "checkpoint": Checkpoint,
    "metadata": Metadata,
    "records": Records,
    "scores": Scores,
    "submission": Submission,
}
MAX_GROWTH = 500_000_000
"""Bytes that reading one input may take."""
MAX_SECONDS = 10
"""Of the processor, for one reader of one input."""
_MAX_LENGTH = 10_000


class Failure(NamedTuple):
    """A reader that broke a rule.

    Attributes:
      kind: of the files.
      seed: of the damage.
      files: the damaged ones.
      reader: its name.
      reason: the rule, and what happened.
      place: where in the package, for exceptions.
    """

    kind: str
    seed: int
    files: tuple[str, ...]
    reader: str
    reason: str
    place: str = ""

    def __str__(self) -> str:
        place = f" at {self.place}" if self.place else ""
        what = f"{self.kind} {self.seed} ({', '.join(self.files)})"
        return f"{what}, {self.reader}: {self.reason}{place}"


class Outcome(NamedTuple):
    """What became of one input.

    Attributes:
      failures: of its readers.
      num_right: readers that gave a right result.
      num_refused: readers that refused it by the rules.
    """

    failures: tuple[Failure, ...]
    num_right: int
    num_refused: int


class Trial:
    """Sound files of one kind in a folder, to be damaged again and again.

    Args:
      kind: one of :data:`SUBJECTS`.
      root: an empty folder.
    """

    def __init__(self, kind: str, root: Path) -> None:
        self._kind = kind
        self.places = Places(root / "tree", root / "output", root / "outside")
        for place in self.places:
            place.mkdir(parents=True)
        put(self.places.outside / "notes.txt", b"mine")
        self._subject = SUBJECTS[kind](self.places)
        self._tree, self._outside = _Guard(self.places.tree), _Guard(self.places.outside)

    def run(self, seed: int) -> Outcome:
        """Damages the files as a seed says, has them read, and brings them back."""
        changed = self._damage(seed)
        files = tuple(changed)
        failures, num_refused = [], 0
        readers = self._subject.readers()
        self._apply(changed)
        for reader in readers:
            reasons, is_refused, place = self._try(reader, files)
            num_refused += is_refused and not reasons
            name = getattr(reader, "__name__", "reader")
            failures += [
                Failure(self._kind, seed, files, name, reason, place) for reason in reasons
            ]
            if self._subject.owns_tree:
                self._tree.restore()
                self._apply(changed)
        self._tree.restore()
        num_broken = len({failure.reader for failure in failures})
        return Outcome(tuple(failures), len(readers) - num_refused - num_broken, num_refused)

    def keep(self, seed: int, folder: Path) -> None:
        """Copies the files, damaged as a seed says, to a new folder."""
        self._apply(self._damage(seed))
        shutil.copytree(self.places.tree, folder)

    def _damage(self, seed: int) -> Mapping[str, bytes | None]:
        rng = random.Random(f"{self._kind} {seed}")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of zips with a name twice
            return self._subject.damage(rng)

    def _try(self, reader: Reader, files: tuple[str, ...]) -> tuple[list[str], bool, str]:
        """Runs one reader: reasons why it failed, whether it refused the input, and where."""
        shutil.rmtree(self.places.output)
        self.places.output.mkdir()
        before = self._tree.look()
        reasons: list[str] = []
        is_refused, place = False, ""
        start, resident = time.process_time(), _reset_peak()
        with _quiet() as said:
            try:
                reader()
            except (ValueError, OSError) as error:
                is_refused = True
                reasons += self._judge(error, files)
                place = _place(error)
            except Exception as error:
                text = " ".join(str(error).split())[:300]
                reasons.append(f"{type(error).__name__}: {text}")
                place = _place(error)
        if said:
            reasons.append(f"said {said[0][:300]}")
        if (seconds := time.process_time() - start) > MAX_SECONDS:
            reasons.append(f"took {seconds:.0f} s")
        if (growth := _peak() - resident) > MAX_GROWTH:
            reasons.append(f"took {growth / 1e6:.0f} MB")
        if self._outside.restore():
            reasons.append("changed files outside")
        if not self._subject.owns_tree and self._tree.look() != before:
            reasons.append("changed its input")
        return reasons, is_refused, place

    def _judge(self, error: Exception, files: tuple[str, ...]) -> list[str]:
        """Says what is wrong with the message of an error."""
        text, kind = str(error), type(error).__name__
        shown = f"{kind}: {text[:200]!r}"
        if len(text.splitlines()) != 1:
            return [f"not one line: {shown}"]
        if len(text) > _MAX_LENGTH:
            return [f"{len(text)} characters: {shown}"]
        paths = [self.places.tree.parent]
        if self._subject.needs_name:
            chains = [Path(*Path(file).parts[:n]) for file in files for n in range(1, 9)]
            paths = [self.places.tree / path for path in chains]
            # Of a frame and its mask that do not fit, either may be named.
            paths += [p for file in files for p in self.places.tree.rglob(f"{Path(file).stem}.*")]
        if not any(str(path) in text for path in paths):
            return [f"names no file: {shown}"]
        return []

    def _apply(self, changed: Mapping[str, bytes | None]) -> None:
        for name in sorted(changed, key=lambda name: changed[name] is not None):
            path, data = self.places.tree / name, changed[name]
            if data is None:
                path.unlink()
            else:
                put(path, data)


class _Guard:
    """Remembers a folder, tells whether it is as it was, and brings it back."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._content = {p: p.read_bytes() for p in root.rglob("*") if p.is_file()}
        self._folders = {p for p in root.rglob("*") if p.is_dir()}
        self._sound = self.look()

    def look(self) -> dict[str, tuple[int, ...]]:
        """What is there: sizes, times and numbers of files by their paths."""
        found: dict[str, tuple[int, ...]] = {}
        pending = [str(self._root)]
        while pending:
            with os.scandir(pending.pop()) as entries:
                for entry in entries:
                    status = entry.stat(follow_symlinks=False)
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(entry.path)
                        found[entry.path] = ()
                    else:
                        found[entry.path] = (status.st_size, status.st_mtime_ns, status.st_ino)
        return found

    def restore(self) -> bool:
        """Brings back what has changed; tells whether anything had."""
        if not self._root.is_dir():
            self._root.mkdir()
        found = self.look()
        if found == self._sound:
            return False
        for path in sorted(found, reverse=True):
            if found[path] != self._sound.get(path):
                (os.rmdir if found[path] == () else os.unlink)(path)
        for path in sorted(self._folders):
            path.mkdir(exist_ok=True)
        for path, data in self._content.items():
            if found.get(str(path)) != self._sound[str(path)]:
                path.write_bytes(data)
        self._sound = self.look()
        return True


@contextlib.contextmanager
def _quiet() -> Iterator[list[str]]:
    """Gathers what is said: warnings, and words on the standard error output."""
    said: list[str] = []
    errors, output = io.StringIO(), io.StringIO()
    with (
        tempfile.TemporaryFile() as file,
        warnings.catch_warnings(record=True) as caught,
        contextlib.redirect_stderr(errors),
        contextlib.redirect_stdout(output),
    ):
        saved = os.dup(2)
        os.dup2(file.fileno(), 2)
        try:
            yield said
        finally:
            os.dup2(saved, 2)
            os.close(saved)
            file.seek(0)
            said += [f"{w.category.__name__}: {w.message}" for w in caught]
            words = (errors.getvalue(), file.read().decode(errors="replace"))
            said += [" ".join(text.split()) for text in words if text.strip()]


def _place(error: BaseException) -> str:
    """The deepest line of the package in a traceback."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if "/mavos_jax/" in f.filename] or frames
    return f"{own[-1].filename.rpartition('/mavos_jax/')[2]}:{own[-1].lineno}"


def _reset_peak() -> int:
    """Forgets the peak of the resident memory; returns what is resident now, in bytes."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    return _status("VmRSS")


def _peak() -> int:
    return _status("VmHWM")


def _status(name: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    return 0
