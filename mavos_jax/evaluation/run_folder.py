"""The folder of a run over a benchmark: what is finished, and of which run it is.

Any number of processes may work on one folder: each claims a sequence by a lock that the system
takes back when the process ends, however it ends. A sequence counts as finished once its record is
there, which is written after its last mask, and as long as its files and masks stay as they are.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from mavos_jax.evaluation.benchmark_sequence import SequenceRecord
from mavos_jax.evaluation.benchmark_task import SequenceTask
from mavos_jax.runtime.files import require_writable_parent, written_whole

_WORK = ("masks", "sequences", ".claims")
_CONCLUSIONS = (
    "scores.json",
    "provenance.json",
    "report.html",
    "global_results-*.csv",
    "per-sequence_results-*.csv",
    "*.zip",
)


@dataclasses.dataclass(frozen=True)
class RunFolder:
    """Where a run over a benchmark keeps its results.

    Attributes:
      root: the folder; it gets ``masks/<sequence>/<frame>.png``, ``sequences/<sequence>.json`` and
        ``run.json``.
    """

    root: Path

    @classmethod
    @contextlib.contextmanager
    def opened(
        cls,
        root: Path,
        identity: Mapping[str, Any],
        provenance: Mapping[str, Any],
        *,
        overwrite: bool = False,
    ) -> Iterator[RunFolder]:
        """Starts a run or goes on with one, for the length of the block.

        Args:
          root: the folder, which need not exist.
          identity: JSON values on which the masks depend; what is in the folder must come from the
            same.
          provenance: JSON values that are kept beside them, of who started the run.
          overwrite: whether the results of another run are removed.

        Raises:
          ValueError: the folder cannot be written, holds something else or the results of another
            run, or is to be overwritten while another process works on it.
        """
        require_writable_parent(root / "run.json")
        root.mkdir(parents=True, exist_ok=True)
        with (root / ".users").open("a") as users:
            with (root / ".opening").open("a") as opening:
                fcntl.flock(opening, fcntl.LOCK_EX)
                if overwrite and not _lock(users, fcntl.LOCK_EX):
                    raise ValueError(
                        f"{root}: expected no other process at work for --overwrite, found one; "
                        "end it, or start without --overwrite to share its work"
                    )
                fcntl.flock(users, fcntl.LOCK_SH)
                folder = cls(root)
                folder._start(identity, provenance, overwrite)
            yield folder

    def masks(self, name: str) -> Path:
        """The folder of a sequence's masks."""
        return self.root / "masks" / name

    def record(self, task: SequenceTask) -> SequenceRecord | None:
        """Reads what a sequence took.

        None while it is not finished, or if its files have changed or masks are missing.
        """
        sequence = task.sequence
        try:
            text = (self.root / "sequences" / f"{sequence.name}.json").read_text(encoding="utf-8")
            values = json.loads(text)
            timings = {name: (int(n), float(s)) for name, (n, s) in values.pop("timings").items()}
            memory = (str(values["memory"][0]), int(values.pop("memory")[1]))
            record = SequenceRecord(**values, timings=timings, memory=memory)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None  # none, half of one, or one of another version
        masks = [
            self.masks(sequence.name) / f"{sequence.frame_name(t)}.png" for t in sequence.saved
        ]
        is_whole = all(mask.is_file() and mask.stat().st_size for mask in masks)
        return record if record.data == task.data and is_whole else None

    def begin(self, task: SequenceTask) -> Path:
        """Removes what is there of a sequence and of conclusions; returns its folder of masks."""
        self._forget_conclusions()
        (self.root / "sequences" / f"{task.sequence.name}.json").unlink(missing_ok=True)
        folder = self.masks(task.sequence.name)
        if folder.exists():
            shutil.rmtree(folder)
        return folder

    def finish(self, record: SequenceRecord) -> None:
        """Marks a sequence as finished."""
        self.write(f"sequences/{record.name}.json", dataclasses.asdict(record))

    def write(self, name: str, values: Mapping[str, Any]) -> None:
        """Writes JSON values to a file of the folder."""
        with written_whole(self.root / name) as temporary:
            temporary.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")

    def origin(self) -> dict[str, Any]:
        """Reads who started the run."""
        return json.loads((self.root / "run.json").read_text(encoding="utf-8"))["provenance"]

    @contextlib.contextmanager
    def claim(self, name: str) -> Iterator[bool]:
        """Holds a piece of work inside the block; tells whether nobody else holds it."""
        path = self.root / ".claims" / name.replace("/", "%2F")
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a") as file:
            yield _lock(file, fcntl.LOCK_EX)

    def _start(
        self, identity: Mapping[str, Any], provenance: Mapping[str, Any], overwrite: bool
    ) -> None:
        found = self._identity()
        if found is None:
            there = [name for name in _WORK if (self.root / name).exists()]
            if there:
                raise ValueError(
                    f"{self.root}: expected a new folder or one with run.json, found {there[0]} "
                    "without it; give another --output"
                )
        elif overwrite:
            self._forget_conclusions()
            for name in _WORK:
                if (self.root / name).exists():
                    shutil.rmtree(self.root / name)
        elif differing := _differences(found, json.loads(json.dumps(identity))):
            raise ValueError(
                f"{self.root}: expected the results of the same run, found that "
                f"{', '.join(differing)} differ; give another --output, or --overwrite"
            )
        else:
            return
        self.write("run.json", {"identity": identity, "provenance": provenance})

    def _forget_conclusions(self) -> None:
        for pattern in _CONCLUSIONS:
            for path in self.root.glob(pattern):
                path.unlink(missing_ok=True)

    def _identity(self) -> dict[str, Any] | None:
        path = self.root / "run.json"
        if not path.is_file():
            return None
        try:
            return json.loads(path.read_text(encoding="utf-8"))["identity"]
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(
                f"{path}: expected the description of a run, found {type(error).__name__}; give "
                "another --output"
            ) from error


def _lock(file: IO[str], kind: int) -> bool:
    """Locks a file, unless somebody else holds it."""
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _differences(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """Names the entries that differ, by their paths."""
    names = []
    for name in sorted({*found, *wanted}):
        one, other = found.get(name), wanted.get(name)
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            names += [f"{name}.{below}" for below in _differences(one, other)]
        elif one != other:
            names.append(name)
    return names
