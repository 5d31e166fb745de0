"""Data sets from records of :mod:`mavos_jax.commands.prepare`: the same videos as from files.

A record in ``<root>/<kind>/<split>/1.0.0`` holds the files of up to 32 neighbouring frames of one
video and of their masks; ``index.json`` beside them says which one holds what.
"""

import dataclasses
import functools
import json
import re
import typing
from pathlib import Path
from typing import Any, NamedTuple

from mavos_jax.config.data import SourceConfig
from mavos_jax.datasets.files import VideoSummary, fingerprint_of
from mavos_jax.media.pictures import DamagedSample, File
from mavos_jax.media.samples import EncodedVideo, Form, Labels
from mavos_jax.runtime.untrusted import read_json, shortened, typed

VERSION = "1.0.0"
SPLIT = "train"  # the one split of every folder of records, in the words of TensorFlow Datasets
FRAMES_PER_RECORD = 32
INDEX = "index.json"
_REMEDY = "; prepare the records again"
_NUM_CACHED = 4


class RecordedVideo(NamedTuple):
    """A video of the index, and the places of its records among all, in order."""

    summary: VideoSummary
    records: tuple[int, ...]


class RecordIndex(NamedTuple):
    """What a folder of records holds; ``is_static`` if its videos are single images."""

    form: Form
    is_static: bool
    num_left_out: int
    videos: tuple[RecordedVideo, ...]


class RecordedFrames:
    """The files of one video in its records, of which the last few are kept."""

    def __init__(self, records: "RecordSet", video: RecordedVideo) -> None:
        def read(number: int) -> dict[str, Any]:
            place, start = video.records[number], number * FRAMES_PER_RECORD
            return records.read(place, video.summary.name, start)

        self._folder, self._summary = records.folder, video.summary
        self._record = functools.lru_cache(_NUM_CACHED)(read)

    def __len__(self) -> int:
        return len(self._summary.frames)

    def frame(self, index: int) -> File:
        """The image of a frame; raises :class:`DamagedSample` if its record is damaged."""
        return self._file(index, "frames", "frame")

    def mask(self, index: int) -> File:
        """The mask of a frame; raises :class:`DamagedSample` if its record is damaged."""
        return self._file(index, "masks", "mask")

    def _file(self, index: int, field: str, word: str) -> File:
        number, offset = divmod(index, FRAMES_PER_RECORD)
        name = f"{word} {self._summary.frames[index]} of {self._summary.name}"
        return File(f"{self._folder}: {name}", bytes(self._record(number)[field][offset]))


@dataclasses.dataclass(eq=False)
class RecordSet:
    """The videos of a folder of records; every process opens the records by itself."""

    name: str
    folder: str
    index: RecordIndex
    max_gap: int
    is_static: bool
    num_left_out: int

    def __len__(self) -> int:
        return len(self.index.videos)

    def __getitem__(self, index: int) -> EncodedVideo:
        video = self.index.videos[index]
        name, labels = video.summary.name, Labels(self.index.form, video.summary.ids)
        return EncodedVideo(f"{self.name}: {name}", RecordedFrames(self, video), labels)

    def fingerprint(self) -> str:
        """A short hash of names and sizes, equal to that of the files that were recorded."""
        return fingerprint_of(self.index.form, (video.summary for video in self.index.videos))

    def read(self, place: int, name: str, start: int) -> dict[str, Any]:
        """Reads the record with frames of video ``name`` from ``start`` on, or DamagedSample."""
        try:
            record = self._source[place]
            found = record["name"].decode(), int(record["start"])
        except (ValueError, TypeError, AttributeError, RuntimeError, LookupError, OSError) as error:
            raise DamagedSample(
                f"{self.folder}: expected record {place} of {name}, found: "
                f"{' '.join(str(error).split()) or type(error).__name__}{_REMEDY}"
            ) from error
        if found != (name, start):
            raise DamagedSample(
                f"{self.folder}: expected frames of {name} from {start} on in record {place}, "
                f"found {found[0]} from {found[1]} on{_REMEDY}"
            )
        return record

    @functools.cached_property
    def _source(self) -> Any:
        return import_tfds(self.folder).builder_from_directory(self.folder).as_data_source(SPLIT)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_source"}


def open_records(config: SourceConfig) -> RecordSet:
    """Opens the records of a kind and a split below the root."""
    folder = records_folder(Path(config.root), config.kind, config.split).absolute()
    import_tfds(str(folder))
    index = _read_index(folder, config)
    name, facts = f"{config.kind} {config.split}", (index.is_static, index.num_left_out)
    return RecordSet(name, str(folder), index, config.max_gap, *facts)


def records_folder(root: Path, kind: str, split: str) -> Path:
    """The folder of the records of a kind and a split."""
    return root / kind / folder_name(split) / VERSION


def folder_name(split: str) -> str:
    """The split with everything but letters, digits and - replaced by _."""
    return re.sub(r"[^\w-]", "_", split)


def write_index(folder: Path, index: RecordIndex) -> None:
    """Writes what a folder of records holds beside them."""
    content = {**index._asdict(), "videos": [[*v.summary, v.records] for v in index.videos]}
    (folder / INDEX).write_text(json.dumps(content), encoding="utf-8")


def import_tfds(origin: str) -> Any:
    """Imports TensorFlow Datasets; raises ValueError, about ``origin``, where it is missing."""
    try:
        import importlib_resources  # noqa: F401 - tensorflow_datasets needs it without saying so
        import tensorflow_datasets as tfds
    except ImportError as error:
        raise ValueError(
            f"{origin}: expected TensorFlow Datasets for records, found no module {error.name}; "
            'pip install "mavos_jax[tfds]", or use format "files"'
        ) from None
    return tfds


def _read_index(folder: Path, config: SourceConfig) -> RecordIndex:
    path = folder / INDEX
    if not path.is_file():
        raise ValueError(
            f"{path}: expected the index of prepared records, found no such file; run python -m "
            f"mavos_jax.commands.prepare --kind {config.kind} --split {config.split} --root FOLDER "
            f"--output {config.root}"
        )
    content = read_json(path, _REMEDY)
    try:
        if content["form"] not in typing.get_args(Form):
            raise ValueError(f"form {shortened(content['form'])}")
        return RecordIndex(
            content["form"],
            typed(content["is_static"], bool),
            typed(content["num_left_out"], int),
            tuple(_video(*typed(fields, list)) for fields in content["videos"]),
        )
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(
            f"{path}: expected the index of prepared records, found {type(error).__name__}: {error}"
            f"{_REMEDY}"
        ) from error


def _video(
    name: Any, frames: Any, frame_sizes: Any, mask_sizes: Any, ids: Any, records: Any
) -> RecordedVideo:
    sizes, masks, kept, places = (
        tuple(typed(value, int) for value in values)
        for values in (frame_sizes, mask_sizes, ids or (), records)
    )
    names = tuple(typed(frame, str) for frame in frames)
    if not len(names) == len(sizes) == len(masks) or min(places, default=0) < 0:
        raise ValueError(f"lists that contradict each other for {shortened(name)}")
    if len(places) != -(-len(names) // FRAMES_PER_RECORD) or not names:
        raise ValueError(f"{len(places)} records of {len(names)} frames for {shortened(name)}")
    summary = VideoSummary(typed(name, str), names, sizes, masks, None if ids is None else kept)
    return RecordedVideo(summary, places)
