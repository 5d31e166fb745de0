"""The folder of a run over a benchmark: what is finished, by whom, and of which run.

Any number of processes may work on one folder: each claims a sequence by a lock that the system
takes back when the process ends, however it ends. A sequence counts as finished once its record is
there, which is written after its last mask, and as long as its files stay the same.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mavos_jax.data.benchmarks import BenchmarkSequence
from mavos_jax.evaluation.benchmark_sequence import SequenceRecord
from mavos_jax.evaluation.files import written_whole
from mavos_jax.output_paths import require_writable_parent

_RESULTS = ("masks", "sequences", ".claims")


@dataclasses.dataclass(frozen=True)
class RunFolder:
    """Where a run over a benchmark keeps its results.

    Attributes:
      root: the folder; it gets ``masks/<sequence>/<frame>.png``, ``sequences/<sequence>.json`` and
        ``run.json``.
    """

    root: Path

    @classmethod
    def open(
        cls,
        root: Path,
        identity: Mapping[str, Any],
        provenance: Mapping[str, Any],
        *,
        overwrite: bool = False,
    ) -> RunFolder:
        """Starts a run or goes on with one.

        Args:
          root: the folder, which need not exist.
          identity: JSON values on which the masks depend; what is in the folder must come from the
            same.
          provenance: JSON values that are kept beside them, of who started the run.
          overwrite: whether the results of another run are removed.

        Raises:
          ValueError: the folder cannot be written, or holds the results of another run.
        """
        require_writable_parent(root / "masks")
        folder = cls(root)
        found = folder._identity()
        if found is None or overwrite:
            if not overwrite and any((root / name).exists() for name in _RESULTS):
                raise ValueError(
                    f"{root}: expected a new folder or one with run.json, found masks without it; "
                    "give another --output, or --overwrite"
                )
            for name in _RESULTS:
                shutil.rmtree(root / name, ignore_errors=True)
            folder.write("run.json", {"identity": identity, "provenance": provenance})
        elif differing := _differences(found, json.loads(json.dumps(identity))):
            raise ValueError(
                f"{root}: expected the results of the same run, found that "
                f"{', '.join(differing)} differ; give another --output, or --overwrite"
            )
        return folder

    def masks(self, name: str) -> Path:
        """The folder of a sequence's masks."""
        return self.root / "masks" / name

    def record(self, sequence: BenchmarkSequence) -> SequenceRecord | None:
        """Reads what a sequence took; None while it is not finished, or if its files changed."""
        path = self.root / "sequences" / f"{sequence.name}.json"
        if not path.is_file():
            return None
        values = json.loads(path.read_text(encoding="utf-8"))
        timings = {name: (int(n), float(s)) for name, (n, s) in values.pop("timings").items()}
        record = SequenceRecord(**values, timings=timings)
        return record if record.data == sequence.fingerprint() else None

    def finish(self, record: SequenceRecord) -> None:
        """Marks a sequence as finished."""
        self.write(f"sequences/{record.name}.json", dataclasses.asdict(record))

    def write(self, name: str, values: Mapping[str, Any]) -> None:
        """Writes JSON values to a file of the folder."""
        with written_whole(self.root / name) as temporary:
            temporary.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")

    @contextlib.contextmanager
    def claim(self, name: str) -> Iterator[bool]:
        """Holds a piece of work inside the block; tells whether nobody else holds it."""
        path = self.root / ".claims" / name.replace("/", "%2F")
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            yield True

    def _identity(self) -> dict[str, Any] | None:
        path = self.root / "run.json"
        if not path.is_file():
            return None
        try:
            return json.loads(path.read_text(encoding="utf-8"))["identity"]
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(
                f"{path}: expected the description of a run, found {type(error).__name__}; give "
                "another --output, or --overwrite"
            ) from error


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
