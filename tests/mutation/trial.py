"""Tries one damaged input after another, and holds what readers do against the rules.

A reader may give a right result, or raise one line that names the file. Anything else is a failure:
another exception, a warning, words of a library on the standard error output, a hang, memory that
grows, files written or removed where they must not be.

python -m mutation.trial --kind png --seed 17 (in tests/, with the package on PYTHONPATH) tries one
input again; --keep FOLDER leaves it there.
"""

from __future__ import annotations

import argparse
import collections
import functools
import random
import shutil
import tempfile
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from mutation.checkpoint_subjects import Checkpoint
from mutation.dataset_subjects import Metadata
from mutation.media_subjects import Pictures, Video
from mutation.pictures import change_jpeg, change_png, sound_jpegs, sound_pngs
from mutation.run_subjects import Records, Scores, Submission
from mutation.subject import Places, Reader, Subject, put
from mutation.watch import Guard, Held, listening, peak, place_of, reset_peak
from mutation.weight_subjects import Npz, Safetensors, Torch

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
_MAX_FILES = 50


class Failure(NamedTuple):
    """A reader that broke a rule on damaged files, and for exceptions, where in the package."""

    kind: str
    seed: int
    files: Sequence[str]
    reader: str
    reason: str
    place: str = ""

    def __str__(self) -> str:
        place = f" at {self.place}" if self.place else ""
        what = f"{self.kind} {self.seed} ({', '.join(self.files)})"
        return f"{what}, {self.reader}: {self.reason}{place}"


class Outcome(NamedTuple):
    """What became of one input: how many readers read it rightly, or refused it by the rules."""

    failures: tuple[Failure, ...]
    num_right: int
    num_refused: int


class Trial:
    """Sound files of one of :data:`SUBJECTS` in a folder, to be damaged again and again."""

    def __init__(self, kind: str, root: Path) -> None:
        self._kind = kind
        self.places = Places(root / "tree", root / "output", root / "outside")
        for place in self.places:
            place.mkdir(parents=True)
        put(self.places.outside / "notes.txt", b"mine")
        self._subject = SUBJECTS[kind](self.places)
        self._tree, self._outside = Guard(self.places.tree), Guard(self.places.outside)
        self._held: Held | None = None

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
            failures += [Failure(self._kind, seed, files, name, why, place) for why in reasons]
            if self._subject.owns_tree:
                self._tree.restore()
                self._apply(changed)
        self._tree.restore()
        failures += [Failure(self._kind, seed, files, "all", reason) for reason in self._leaks()]
        num_right = len(readers) - num_refused - len({failure.reader for failure in failures})
        return Outcome(tuple(failures), num_right, num_refused)

    def _leaks(self) -> list[str]:
        """Says what the process holds more and more of; its first input sets the measure."""
        held = Held.now()
        if self._held is None:
            self._held = held
        memory, files = held.memory - self._held.memory, held.files - self._held.files
        leaks = [f"kept {memory / 1e6:.0f} MB"] if memory > MAX_GROWTH else []
        leaks += [f"kept {files} files open"] if files > _MAX_FILES else []
        if leaks:
            self._held = held
        return leaks

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
        if any(self.places.output.iterdir()):
            shutil.rmtree(self.places.output)
            self.places.output.mkdir()
        before = self._tree.look()
        reasons: list[str] = []
        is_refused, place = False, ""
        start, resident = time.process_time(), reset_peak()
        with listening() as said:
            try:
                reader()
            except (ValueError, OSError) as error:
                is_refused = True
                reasons += self._judge(error, files)
                place = place_of(error)
            except Exception as error:
                text = " ".join(str(error).split())[:300]
                reasons.append(f"{type(error).__name__}: {text}")
                place = place_of(error)
        if said and not self._subject.may_speak:
            reasons.append(f"said {said[0][:300]}")
        if (seconds := time.process_time() - start) > MAX_SECONDS:
            reasons.append(f"took {seconds:.0f} s")
        if (growth := peak() - resident) > MAX_GROWTH:
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


def summarise(outcomes: Iterable[Outcome]) -> Iterator[str]:
    """Yields a line for each place and reason, with its first failure and their number."""
    groups: dict[tuple[str, str], list[Failure]] = collections.defaultdict(list)
    for failure in (failure for outcome in outcomes for failure in outcome.failures):
        groups[failure.place or failure.reason, failure.reason.partition(":")[0]].append(failure)
    for group in sorted(groups.values(), key=len, reverse=True):
        yield f"{len(group)} x {group[0]}"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--kind", choices=SUBJECTS, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--keep", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mutations-") as folder:
        trial = Trial(arguments.kind, Path(folder))
        print(*trial.run(arguments.seed).failures, sep="\n")
        if arguments.keep is not None:
            trial.keep(arguments.seed, arguments.keep)


if __name__ == "__main__":
    main()
