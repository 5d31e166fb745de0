"""Tries one damaged input after another, and holds what readers do against the rules.

A reader may give a right result, or raise one line that names the file. Anything else is a failure:
another exception, a warning, words of a library on the standard error output, a hang, memory that
grows, files written or removed where they must not be.

:meth:`Trial.run` tries one input again; ``apply(damage(seed))`` leaves it in its folder.
"""

import contextlib
import os
import random
import shutil
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from mutation.documents import odd_names
from mutation.files import change_file
from mutation.watch import look, memory, put

MAX_GROWTH = 500_000_000
"""Bytes that reading one input may take."""
_MAX_SECONDS = 10
"""Of the processor, for one reader of one input."""
_MAX_LENGTH = 10_000
_MAX_FILES = 50


Changes = Mapping[str, bytes | None]
"""New content of files by their names below the tree; None removes one."""


class Places(NamedTuple):
    """The folders of a campaign, side by side.

    ``tree`` has the files that are read, some of them damaged. Readers may write into ``output``,
    which is empty at the start of each. ``outside`` are somebody else's files, which must stay.
    """

    tree: Path
    output: Path
    outside: Path

    @property
    def precious(self) -> Path:
        """The folder outside that damaged names lead to."""
        return self.outside / "set"


class Subject(NamedTuple):
    """Sound files of a kind, to be damaged, and everything that reads them.

    A reader returns after it has checked the result, or raises ``ValueError``.
    """

    sources: Sequence[tuple[str, bytes]]  # names below the tree and sound content, one is chosen
    readers: Sequence[Callable[[], object]]
    mend: Callable[[random.Random, Changes], Changes] | None = None  # has checksums fit again
    owns_tree: bool = False  # whether readers may write into the tree, as the folder of a run
    needs_name: bool = True  # whether a message must name a damaged file or its folder; else any


def require_array(array: object, shape: tuple[int, ...]) -> None:
    """Fails unless something is an array of bytes of a shape."""
    assert isinstance(array, np.ndarray), type(array)
    assert (array.dtype, array.shape) == (np.uint8, shape), (array.dtype, array.shape)


def require_lines(lines: list[str], root: Path) -> None:
    """Fails unless a check's findings are lines that say where."""
    for line in lines:
        assert len(line.splitlines()) == 1, line
        assert str(root) in line, line


class Trial:
    """Sound files of a kind in a folder, to be damaged again and again.

    ``write_sound`` writes them into places, and returns the subject; ``read_errors`` gives what was
    written on the standard error output since the last call.
    """

    def __init__(self, kind, write_sound, root, read_errors: Callable[[], str] = str):
        self._kind, self._read_errors = kind, read_errors
        self.places = Places(root / "tree", root / "output", root / "outside")
        for place in self.places:
            place.mkdir(parents=True)
        put(self.places.outside / "notes.txt", b"mine")
        self._subject = write_sound(self.places)
        files = [path for path in self.places.tree.rglob("*") if path.is_file()]
        self._sound = {path: path.read_bytes() for path in files}
        self._outside = look(self.places.outside)
        self._held: tuple[int, int] | None = None
        self.failures, self.num_right, self.num_refused = [], 0, 0

    def run(self, seed):
        """Damages the files as a seed says, has them read, counts the outcome, and mends them."""
        changes = self.damage(seed)
        source = f"{self._kind} {seed} ({', '.join(changes)})"
        for reader in self._subject.readers:
            self.apply(changes)
            reasons, is_refused = self._try(reader, changes)
            self.num_right += not reasons and not is_refused
            self.num_refused += not reasons and is_refused
            name = getattr(reader, "func", reader).__name__
            self.failures += [f"{source}, {name}: {reason}" for reason in reasons]
            shutil.rmtree(self.places.tree)
            self.places.tree.mkdir()
            for path, data in self._sound.items():
                put(path, data)
        self.failures += [f"{source}: {reason}" for reason in self._leaks()]

    def damage(self, seed) -> Changes:
        """Damages one file as a seed says."""
        rng = random.Random(f"{self._kind} {seed}")
        name, data = rng.choice(self._subject.sources)
        if rng.random() < 0.05:
            _, other = rng.choice(self._subject.sources)
            whole = ({name: None}, {name: None, f"{name}/file": b""}, {name: data}, {name: other})
            changes: Changes = rng.choice(whole)
        else:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of zips with a name twice
                changes = {name: change_file(rng, name, data, odd_names(self.places.precious))}
        return self._subject.mend(rng, changes) if self._subject.mend else changes

    def apply(self, changes):
        """Writes and removes files of the tree."""
        for name in sorted(changes, key=lambda name: changes[name] is not None):
            path, data = self.places.tree / name, changes[name]
            if data is None:
                path.unlink(missing_ok=True)
            else:
                put(path, data)

    def _leaks(self):
        """Says what the process holds more and more of; its first input sets the measure."""
        held = memory("VmRSS"), len(os.listdir("/proc/self/fd"))
        growth, files = (now - then for now, then in zip(held, self._held or held, strict=True))
        leaks = [f"kept {growth / 1e6:.0f} MB"] if growth > MAX_GROWTH else []
        leaks += [f"kept {files} files open"] if files > _MAX_FILES else []
        if leaks or self._held is None:
            self._held = held
        return leaks

    def _try(self, reader, changes):
        """Runs one reader: the rules that it broke, and whether it refused its input."""
        shutil.rmtree(self.places.output)
        self.places.output.mkdir()
        before, reasons, is_refused = look(self.places.tree), [], False
        with contextlib.suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")  # forgets the peak
        start, resident = time.process_time(), memory("VmRSS")
        self._read_errors()
        with warnings.catch_warnings(record=True) as caught:
            try:
                reader()
            except Exception as error:
                is_refused = True
                reasons += self._judge(error, changes)
        seconds, growth = time.process_time() - start, memory("VmHWM") - resident
        words = [f"{w.category.__name__}: {w.message}" for w in caught] + [self._read_errors()]
        said = " ".join(" ".join(words).split())
        faults = {
            f"said {said[:300]}": said,
            f"took {seconds:.0f} s": seconds > _MAX_SECONDS,
            f"took {growth / 1e6:.0f} MB": growth > MAX_GROWTH,
            "changed files outside": look(self.places.outside) != self._outside,
            "changed its input": not self._subject.owns_tree and look(self.places.tree) != before,
        }
        self._outside = look(self.places.outside)
        return reasons + [fault for fault, is_so in faults.items() if is_so], is_refused

    def _judge(self, error, changes):
        """Says what is wrong with an error or its message."""
        text, tree = str(error), self.places.tree
        shown = f"{type(error).__name__}: {' '.join(text.split())[:300]}"
        paths = [tree.parent]
        if self._subject.needs_name:
            paths = [tree / Path(*Path(name).parts[:n]) for name in changes for n in (1, 2, 3)]
            # Of a frame and its mask that do not fit, either may be named.
            paths += [p for name in changes for p in tree.rglob(f"{Path(name).stem}.*")]
        if not isinstance(error, ValueError | OSError):
            return [shown]
        if len(text.splitlines()) != 1 or len(text) > _MAX_LENGTH:
            return [f"not one line of {len(text)} characters: {shown}"]
        return [] if any(str(path) in text for path in paths) else [f"names no file: {shown}"]
