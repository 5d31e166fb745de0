"""The folder of a run over a benchmark: what is finished, and of which run.

Any number of processes may work on one folder: each claims a sequence by a lock that the system
takes back when the process ends. A sequence is finished once its record is there, which is written
after its last mask has reached the disk, and as long as its files and masks do not change. Only
files that a run wrote are removed.
"""

import contextlib
import dataclasses
import glob
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from mavos_jax.evaluation.sequence import Places, SequenceRecord, SequenceTask, parse_record
from mavos_jax.runtime import files
from mavos_jax.runtime.trees import fields_by_path
from mavos_jax.runtime.untrusted import read_json, shortened, typed

_WORK = ("masks", "confidence", "soft", "sequences")
_NUM_FLUSHING_THREADS = 8


class RunFolder:
    """Where a run over a benchmark keeps its results; those named last depend on all masks."""

    def __init__(self, root: Path, conclusions: Sequence[str] = ()) -> None:
        self.root, self._conclusions = root, tuple(conclusions)
        self._sound: dict[Path, tuple[int, int, int]] = {}  # files seen as written, by their state

    @classmethod
    @contextlib.contextmanager
    def opened(
        cls,
        root: Path,
        identity: Mapping[str, Any],
        provenance: Mapping[str, Any],
        *,
        conclusions: Sequence[str] = (),
        overwrite: bool = False,
    ) -> "Iterator[RunFolder]":
        """Starts or continues the run of an identity, JSON values on which the masks depend."""
        files.require_writable_parent(root / "run.json")
        root.mkdir(parents=True, exist_ok=True)
        folder = cls(root, conclusions)
        with files.opened_lock(root / ".users") as users:
            with files.opened_lock(root / ".opening") as opening:
                opening.take(waits=True)
                if overwrite and not users.take():
                    raise ValueError(
                        f"{root}: expected no other process at work for --overwrite, found one; "
                        "end it, or start without --overwrite to share its work"
                    )
                users.take(shared=True, waits=True)
                folder._start(identity, provenance, overwrite)
            yield folder

    def places(self, name: str) -> Places:
        """Where the results of a sequence are."""
        table = self.root / "confidence" / f"{name}.csv"
        return Places(self.root / "masks" / name, table, self.root / "soft" / name)

    def record(self, task: SequenceTask) -> SequenceRecord | None:
        """Reads what a sequence took; None unless it is finished."""
        try:
            return self._finished(task)
        except (ValueError, OSError):
            return None

    def fault(self, task: SequenceTask) -> str | None:
        """Says why a finished sequence must be done again, or None."""
        try:
            self._finished(task)
        except (ValueError, OSError) as error:
            return str(error)
        return None

    def begin(self, task: SequenceTask) -> Places:
        """Removes old results of a sequence, and conclusions; returns where new ones go."""
        self._remove(self._conclusions)
        name, frames = task.sequence.name, _saved_names(task)
        self._remove_results(name)
        # Even if this process is killed, whoever removes results must know which files they are.
        self.write(f"sequences/{name}.json", {"masks": dict.fromkeys(frames)})
        self._remove(f"masks/{name}/{frame}.png" for frame in frames)
        return Places(*(files.inside(self.root, path) for path in self.places(name)))

    def finish(self, record: SequenceRecord, task: SequenceTask) -> None:
        """Marks a sequence as finished, once its masks are on the disk."""
        masks, table, soft = self.places(record.name)

        def flush_one(name: str) -> tuple[str, str]:
            files.flush(masks / f"{name}.png")
            return name, files.file_checksum(masks / f"{name}.png")

        # Together they take a tenth of the time: the file system flushes many at once.
        with ThreadPoolExecutor(_NUM_FLUSHING_THREADS) as pool:
            checksums = dict(pool.map(flush_one, _saved_names(task)))
            list(pool.map(files.flush, soft.glob("*/*.png")))
        files.flush(masks)
        confidence = files.file_checksum(table) if table.is_file() else ""
        record = dataclasses.replace(record, masks=checksums, confidence=confidence)
        self.write(f"sequences/{record.name}.json", dataclasses.asdict(record), is_flushed=True)

    def write(self, name: str, values: Mapping[str, Any], *, is_flushed: bool = False) -> None:
        """Writes JSON values to a file of the folder."""
        path = files.inside(self.root, self.root / name)
        with files.written_whole(path, is_flushed=is_flushed) as temporary:
            temporary.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")

    def origin(self) -> dict[str, Any]:
        """Reads who started the run."""
        return self._run()["provenance"]

    @contextlib.contextmanager
    def claim(self, name: str) -> Iterator[bool]:
        """Holds a piece of work inside the block; yields whether nobody else holds it."""
        path = files.inside(self.root, self.root / ".claims" / files.short_hash([name]))
        path.parent.mkdir(parents=True, exist_ok=True)
        with files.opened_lock(path) as lock:
            yield lock.take()

    def _record_path(self, name: str) -> Path:
        return self.root / "sequences" / f"{name}.json"

    def _finished(self, task: SequenceTask) -> SequenceRecord | None:
        """Reads the record of a sequence, None if it is unfinished; raises where it is wrong."""
        name, path = task.sequence.name, self._record_path(task.sequence.name)
        if not path.is_file():
            return None
        content = read_json(path, remedy="")
        if isinstance(content, dict) and content.keys() == {"masks"}:
            return None
        try:
            record = parse_record(content)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error
        if (record.name, record.data) != (name, task.data):
            raise ValueError(f"{path}: the files of {name} are not those of the record")
        places = self.places(name)
        for frame in _saved_names(task):
            self._require_unchanged(places.masks / f"{frame}.png", record.masks.get(frame))
        if record.confidence:
            self._require_unchanged(places.confidence, record.confidence)
        return record

    def _require_unchanged(self, path: Path, checksum: str | None) -> None:
        stat = path.stat()
        state = (stat.st_ino, stat.st_size, stat.st_mtime_ns)
        if self._sound.get(path) == state:
            return
        if files.file_checksum(path) != checksum:
            raise ValueError(f"{path}: it is damaged, or not what the run wrote")
        self._sound[path] = state

    def _start(
        self, identity: Mapping[str, Any], provenance: Mapping[str, Any], overwrite: bool
    ) -> None:
        if not (self.root / "run.json").is_file():
            there = [name for name in (*_WORK, *self._conclusions) if (self.root / name).exists()]
            if there:
                raise ValueError(
                    f"{self.root}: expected a new folder or one with run.json, found {there[0]} "
                    "without it; give another --output"
                )
        elif overwrite:
            self._remove_run()
        elif differing := _differences(self._run()["identity"], json.loads(json.dumps(identity))):
            raise ValueError(
                f"{self.root}: expected the results of the same run, found that "
                f"{', '.join(differing)} differ; give another --output, or --overwrite"
            )
        else:
            return
        run = {"identity": identity, "provenance": provenance, "conclusions": self._conclusions}
        self.write("run.json", run, is_flushed=True)

    def _run(self) -> dict[str, Any]:
        path, remedy = self.root / "run.json", "; give another --output, or --overwrite"
        content = read_json(path, remedy)
        for name in ("identity", "provenance"):
            if not isinstance(content, dict) or not isinstance(content.get(name), dict):
                raise ValueError(
                    f"{path}: expected the description of a run, found none of its {name}{remedy}"
                )
        return content

    def _remove_run(self) -> None:
        """Removes what the run of ``run.json`` wrote; the file itself is replaced later."""
        conclusions: list[Any] = []
        with contextlib.suppress(ValueError, KeyError):  # damaged
            conclusions = typed(self._run()["conclusions"], list)
        self._remove([*map(str, conclusions), *self._conclusions])
        records = self.root / "sequences"
        for path in sorted(records.rglob("*.json")):
            name = path.relative_to(records).with_suffix("").as_posix()
            self._remove_results(name)
            files.inside(self.root, path).unlink(missing_ok=True)
            self._remove_empty(path.parent, records)
            self._remove_empty(self.places(name).confidence.parent, self.root / "confidence")

    def _remove_results(self, name: str) -> None:
        frames: dict[str, Any] = {}
        with contextlib.suppress(ValueError, OSError, KeyError, TypeError):
            frames = typed(read_json(self._record_path(name))["masks"], dict)
        masks, table, soft = self.places(name)
        folders = [masks, *soft.glob("*/")]
        partials = [partial for folder in folders for partial in folder.glob(".*.png.*.partial")]
        partials += table.parent.glob(f".{glob.escape(table.name)}.*.partial")
        self._remove(path.relative_to(self.root).as_posix() for path in partials)
        if frames:
            self._remove([f"confidence/{name}.csv"])
        for folder in folders:
            place = files.inside(self.root, folder).relative_to(self.root)
            self._remove(f"{place}/{frame}.png" for frame in frames)
            self._remove_empty(folder, self.root / place.parts[0])

    def _remove(self, names: Iterable[str]) -> None:
        for name in names:
            files.inside(self.root, self.root / name).unlink(missing_ok=True)

    @staticmethod
    def _remove_empty(folder: Path, root: Path) -> None:
        """Removes a folder and those above it, up to ``root``, as long as they are empty."""
        with contextlib.suppress(OSError):
            while folder != root:
                folder.rmdir()
                folder = folder.parent


def _saved_names(task: SequenceTask) -> list[str]:
    return [task.sequence.frame_name(index) for index in task.sequence.saved]


def _differences(found: dict[str, Any], wanted: dict[str, Any]) -> list[str]:
    one, other = (fields_by_path(values) for values in (found, wanted))
    names = sorted(name for name in {*one, *other} if one.get(name) != other.get(name))
    return [name if name.isprintable() and len(name) < 60 else shortened(name) for name in names]
