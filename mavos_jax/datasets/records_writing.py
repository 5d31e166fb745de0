"""Writing a data set as records, with TensorFlow Datasets and without TensorFlow."""

import contextlib
import io
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from mavos_jax.datasets import records
from mavos_jax.datasets.files import FileSet, VideoSummary, kept_ids
from mavos_jax.media.folders import describe_folder
from mavos_jax.media.pictures import read_header, require_size
from mavos_jax.runtime.files import inside, replace_folder

_FORMAT = "array_record"  # the default needs TensorFlow, and says so after all the work


def write_records(
    videos: FileSet, output: Path, kind: str, split: str, *, overwrite: bool = False
) -> str:
    """Writes all videos; returns a line about the records, which appear once they are read back.

    A killed run leaves a hidden folder ``.<kind>-<split>-*``, which may be deleted.
    """
    final = inside(output, records.records_folder(output, kind, split))
    _require_replaceable(final, overwrite)
    tfds = records.import_tfds(str(final))
    name = records.folder_name(split)
    output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(
        prefix=f".{kind}-{name}-", dir=output, ignore_cleanup_errors=True
    ) as temporary:
        folder = _build(tfds, videos, Path(temporary), kind, name)
        index = _index(tfds, videos, folder)
        records.write_index(folder, index)
        final.parent.parent.mkdir(parents=True, exist_ok=True)
        replace_folder(final.parent, folder.parent, Path(temporary) / "replaced")
    summaries = [video.summary for video in index.videos]
    num_frames = sum(len(summary.frames) for summary in summaries)
    num_bytes = sum(sum(s.frame_sizes) + sum(s.mask_sizes) for s in summaries)
    num_records = sum(len(video.records) for video in index.videos)
    left_out = f", {videos.num_left_out} left out" if videos.num_left_out else ""
    return (
        f"prepared {kind} {split}: {len(summaries)} videos{left_out}, {num_frames} frames, "
        f"{num_bytes / 1e6:.1f} MB in {num_records} records: {final}"
    )


def _require_replaceable(final: Path, overwrite: bool) -> None:
    folder = final.parent
    if not folder.exists():
        return
    if not overwrite:
        raise ValueError(
            f"{folder}: expected a place for new records, found some; give --overwrite or another "
            "--output"
        )
    if os.listdir(folder) != [records.VERSION] or not (final / records.INDEX).is_file():
        raise ValueError(
            f"{folder}: expected records alone to overwrite, found {describe_folder(folder)}; give "
            "another --output"
        )


def _build(tfds: Any, videos: FileSet, output: Path, kind: str, split: str) -> Path:
    builder_class = _builder_class(tfds, videos, kind, split)
    shown = contextlib.nullcontext if sys.stderr.isatty() else contextlib.redirect_stderr
    with contextlib.redirect_stdout(io.StringIO()), shown(io.StringIO()):
        # The format must be given in both places.
        builder = builder_class(data_dir=str(output), config=split, file_format=_FORMAT)
        builder.download_and_prepare(file_format=_FORMAT)
    return records.records_folder(output, kind, split)


def _builder_class(tfds: Any, videos: FileSet, kind: str, split: str) -> type:
    """The builder of one set; a class of this package, as TensorFlow Datasets requires."""
    encoded = tfds.features.Tensor(shape=(), dtype=np.object_)  # bytes, never decoded

    # Unregistered, because a process may write several sets under one name.
    class VideoRecords(tfds.core.GeneratorBasedBuilder, skip_registration=True):  # type: ignore
        """Annotated videos as the bytes of their files."""

        name = kind
        VERSION = tfds.core.Version(records.VERSION)
        BUILDER_CONFIGS = (tfds.core.BuilderConfig(name=split),)

        def _info(self) -> Any:
            features = {
                "name": tfds.features.Text(),
                "start": np.int32,
                "size": tfds.features.Tensor(shape=(2,), dtype=np.int32),
                "ids": tfds.features.Sequence(np.int32),
                "frame_names": tfds.features.Sequence(tfds.features.Text()),
                "frames": tfds.features.Sequence(encoded),
                "masks": tfds.features.Sequence(encoded),
            }
            return tfds.core.DatasetInfo(
                builder=self,
                description="Annotated videos: up to 32 frames a record, in files' own encoding; "
                "objects other than ids, where ids are given, are background.",
                features=tfds.features.FeaturesDict(features),
            )

        def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
            return {records.SPLIT: self._generate_examples()}

        def _generate_examples(self) -> Iterator[tuple[str, dict[str, Any]]]:
            return _examples(videos)

    return VideoRecords


def _examples(videos: FileSet) -> Iterator[tuple[str, dict[str, Any]]]:
    for sequence in videos.sequences:
        for start in range(0, len(sequence), records.FRAMES_PER_RECORD):
            indices = range(start, min(start + records.FRAMES_PER_RECORD, len(sequence)))
            frames = [sequence.frame(i) for i in indices]
            masks = [sequence.mask(i) for i in indices]
            sizes = [read_header(frame).size for frame in frames]
            for frame, size, mask in zip(frames, sizes, masks, strict=True):
                require_size(mask, read_header(mask, "a mask").size, size, f"its frame {frame}")
            yield (
                f"{sequence.name}/{start}",
                {
                    "name": sequence.name,
                    "start": start,
                    "size": sizes[0],
                    "ids": list(kept_ids(sequence) or ()),
                    "frame_names": [sequence.frames[i].name for i in indices],
                    "frames": [frame.data for frame in frames],
                    "masks": [mask.data for mask in masks],
                },
            )


def _index(tfds: Any, videos: FileSet, folder: Path) -> records.RecordIndex:
    """Reads all records back, in shuffled order; raises ValueError if one is not as written."""
    source = tfds.builder_from_directory(str(folder)).as_data_source(records.SPLIT)
    places: dict[tuple[str, int], int] = {}
    sizes: dict[tuple[str, int], tuple[list[int], list[int]]] = {}
    for place in range(len(source)):
        record = source[place]
        key = record["name"].decode(), int(record["start"])
        places[key] = place
        sizes[key] = [len(f) for f in record["frames"]], [len(m) for m in record["masks"]]
    recorded = []
    for sequence in videos.sequences:
        summary = VideoSummary.of(sequence)
        keys = [(sequence.name, s) for s in range(0, len(sequence), records.FRAMES_PER_RECORD)]
        if any(key not in places for key in keys) or any(
            [size for key in keys for size in sizes[key][column]] != list(expected)
            for column, expected in enumerate((summary.frame_sizes, summary.mask_sizes))
        ):
            raise ValueError(
                f"{folder}: expected {sequence.name} as its files are, found other records; did "
                "the files change meanwhile? prepare them again"
            )
        recorded.append(records.RecordedVideo(summary, tuple(places[key] for key in keys)))
    return records.RecordIndex(videos.form, videos.is_static, videos.num_left_out, tuple(recorded))
