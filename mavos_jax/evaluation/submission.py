"""Writes zips of masks for the servers of benchmarks, and checks those of any program."""

import lzma
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np

from mavos_jax.datasets.dataset import Benchmark
from mavos_jax.datasets.listing import is_sound_name
from mavos_jax.datasets.sequences import SequenceFiles
from mavos_jax.datasets.table import DATA_SETS
from mavos_jax.evaluation.reading import find_masks, mask_path, output_size, read_given
from mavos_jax.media import pictures
from mavos_jax.media.folders import name_some
from mavos_jax.media.ids import object_ids
from mavos_jax.media.masks import read_values
from mavos_jax.runtime.files import written_whole
from mavos_jax.runtime.untrusted import shortened

_FORM = "<sequence>/<frame>.png"
_DATE = (1980, 1, 1, 0, 0, 0)  # the same masks give the same bytes, whenever they are packed
_UNIX = 3
_PERMISSIONS = 0o100644 << 16
_ENCRYPTED = 1
_MAX_CHANNELS = 4
_MAX_HEADERS = 1 << 20  # bytes of a PNG beside its pixels, generously
_UNREADABLE = (  # what damaged zips raise
    *(zipfile.BadZipFile, lzma.LZMAError, struct.error, zlib.error, NotImplementedError),
    *(RuntimeError, OverflowError, LookupError, OSError, EOFError, ValueError),
)


class SubmissionSummary(NamedTuple):
    """The zip that was packed, and what is in it."""

    path: Path
    num_sequences: int
    num_frames: int
    num_bytes: int


def write_submission(benchmark: Benchmark, results: Path, path: Path) -> SubmissionSummary:
    """Packs the saved masks of a whole split; leaves no zip behind that fails the check."""
    masks = find_masks(results, benchmark)
    with written_whole(path) as temporary:
        _pack(benchmark, masks, temporary)
        problems = check_submission(benchmark, temporary, masks)
        if problems:
            is_one = len(problems) == 1
            count = "the only problem" if is_one else f"the first of {len(problems)} problems"
            raise ValueError(f"{problems[0]} ({count}; {path} is not written)")
    num_frames = sum(len(sequence.saved) for sequence in benchmark.sequences)
    return SubmissionSummary(path, len(benchmark.sequences), num_frames, path.stat().st_size)


def check_submission(benchmark: Benchmark, file: Path, masks: Path | None = None) -> list[str]:
    """Lists, a line each, everything in a zip that its server would refuse or score wrongly.

    If the folder ``masks`` that was packed is given, messages name the files in it.
    """
    if not file.is_file():
        found = "a folder or a pipe" if file.exists() else "no such file"
        return [f"{file}: expected a zip, found {found}"]
    try:
        archive = zipfile.ZipFile(file)
    except _UNREADABLE as error:
        return [
            f"{file}: expected a zip, found another file or a damaged one ({_words(error)}); pack "
            "the masks again"
        ]
    with archive:
        return list(_check_archive(benchmark, file, archive, masks))


def submission_form(benchmark: Benchmark) -> str:
    """The path of a mask in a submission, such as ``Annotations/<sequence>/<frame>.png``."""
    return str(_nesting(benchmark) / _FORM)


def _nesting(benchmark: Benchmark) -> PurePosixPath:
    return PurePosixPath(DATA_SETS[benchmark.dataset].nested)


def _pack(benchmark: Benchmark, masks: Path, file: Path) -> None:
    """Packs the saved masks that exist; the check reports the others."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for sequence in benchmark.sequences:
            for index in sequence.saved:
                mask = mask_path(masks, sequence, index)
                if mask.is_file():
                    name = _nesting(benchmark) / sequence.name / mask.name
                    info = zipfile.ZipInfo(str(name), _DATE)
                    info.create_system, info.external_attr = _UNIX, _PERMISSIONS
                    archive.writestr(info, mask.read_bytes())


def _check_archive(
    benchmark: Benchmark, file: Path, archive: zipfile.ZipFile, masks: Path | None
) -> Iterator[str]:
    infos = archive.infolist()
    odd = {x.orig_filename for x in infos if not is_sound_name(x.orig_filename.removesuffix("/"))}
    if odd:
        names = name_some([shortened(name) for name in sorted(odd)])
        yield (
            f"{file}: expected names below the zip's top, found {len(odd)} that are empty, "
            f"absolute, or lead elsewhere: {names}; pack the masks again"
        )
    if locked := [info.filename for info in infos if info.flag_bits & _ENCRYPTED]:
        yield (
            f"{file}: expected masks that anybody can read, found {len(locked)} encrypted: "
            f"{name_some(locked)}; pack the masks without a password"
        )
    entries = [
        (PurePosixPath(info.filename), info)
        for info in infos
        if info.orig_filename not in odd and not info.is_dir()
    ]
    hidden = dict.fromkeys(
        path
        for path, _ in entries
        if any(part.startswith(".") or part == "__MACOSX" for part in path.parts)
    )
    if hidden:
        yield (
            f"{file}: expected only masks, found {len(hidden)} hidden files: "
            f"{name_some([*map(str, hidden)])}; pack the masks without them"
        )
    for path, count in Counter(path for path, _ in entries).items():
        if count > 1:
            expected = f"{file / path}: expected one file of that name"
            yield f"{expected}, found {count}; pack the masks again"
    folders: dict[PurePosixPath, dict[str, zipfile.ZipInfo]] = {}
    for path, info in entries:
        if path not in hidden:
            folders.setdefault(path.parent, {})[path.name] = info
    found = _find_nesting(benchmark, folders)
    if found != _nesting(benchmark):
        yield (
            f"{file}: expected {submission_form(benchmark)}, found {found / _FORM}; pack the masks "
            "as expected"
        )
    for sequence in benchmark.sequences:
        there = folders.pop(found / sequence.name, {})
        place = (masks or file / found) / sequence.name
        yield from _check_sequence(benchmark, sequence, archive, there, place)
    for folder, names in folders.items():
        yield (
            f"{file / folder}: expected only {found / _FORM} for the sequences of "
            f"{benchmark.name}, found {name_some(sorted(names))}; remove what belongs to none"
        )


def _find_nesting(benchmark: Benchmark, folders: Iterable[PurePosixPath]) -> PurePosixPath:
    """The folder that holds most sequences' folders, perhaps not the expected one."""
    names = {PurePosixPath(sequence.name) for sequence in benchmark.sequences}
    counts: Counter[PurePosixPath] = Counter()
    for folder in folders:
        for above in folder.parents:
            counts[above] += folder.relative_to(above) in names
    return max((_nesting(benchmark), *counts), key=lambda above: counts[above])


def _check_sequence(
    benchmark: Benchmark,
    sequence: SequenceFiles,
    archive: zipfile.ZipFile,
    there: Mapping[str, zipfile.ZipInfo],
    place: Path,
) -> Iterator[str]:
    wanted = {f"{sequence.frame_name(index)}.png": index for index in sequence.saved}
    expected = f"{place}: expected a mask for each of {len(wanted)} frames"
    if not there:
        yield f"{expected}, found none; add the sequence"
        return
    if missing := [name for name in wanted if name not in there]:
        yield f"{expected}, found {len(missing)} missing: {name_some(missing)}; add them"
    extra = [name for name in there if name not in wanted]
    if jpegs := [name for name in extra if name.lower().endswith((".jpg", ".jpeg"))]:
        yield (
            f"{place}: expected indexed PNGs, found {len(jpegs)} saved as JPEG, which changes ids: "
            f"{name_some(jpegs)}; save the masks as PNGs"
        )
    if others := [name for name in extra if name not in jpegs]:
        yield (
            f"{place}: expected only the masks of {len(wanted)} frames, found {len(others)} more: "
            f"{name_some(others)}; remove them"
        )
    stored = pictures.read_frame_header(sequence.frames[0]).size
    size = output_size(benchmark, stored)
    given = {t: object_ids(read_given(benchmark, sequence, t, stored)[0]) for t in sequence.given}
    for name, index in wanted.items():
        if name in there:
            ids = {number for start in given if start <= index for number in given[start]}
            allowed = None if benchmark.is_binary else ids
            yield from _check_mask(archive, there[name], str(place / name), size, allowed)


def _check_mask(
    archive: zipfile.ZipFile,
    info: zipfile.ZipInfo,
    origin: str,
    size: pictures.Size,
    allowed: set[int] | None,
) -> Iterator[str]:
    """Yields what is wrong with a mask; with ``allowed=None`` every id is accepted."""
    expected = pictures.describe_size(size)
    limit = _MAX_CHANNELS * size[0] * size[1] + _MAX_HEADERS
    if info.file_size > limit:
        yield (
            f"{origin}: expected an indexed PNG of {expected}, found {info.file_size} bytes, more "
            f"than the {limit} that its pixels can take; save the mask again"
        )
        return
    if info.flag_bits & _ENCRYPTED:
        return  # reported for the whole zip
    try:
        file = pictures.File(origin, archive.read(info))
    except _UNREADABLE as error:
        words = "expected an indexed PNG, found a file that cannot be read"
        yield f"{origin}: {words}: {_words(error)}; restore it"
        return
    try:
        header = pictures.read_header(file, "a mask")
        is_indexed = (header.kind, header.mode) == ("PNG", "P")
        found = np.unique(read_values(file).ids) if is_indexed and header.size == size else ()
    except (pictures.DamagedSample, pictures.UnusablePicture) as error:
        yield str(error)
        return
    if header.size != size:
        yield (
            f"{origin}: expected {expected}, found {pictures.describe_size(header.size)}; segment "
            "at the size of the frames, or resize the masks to their nearest neighbours"
        )
    if not is_indexed:
        yield (
            f"{origin}: expected an indexed PNG, found {header.kind} of mode {header.mode}; save "
            "ids with a palette"
        )
    elif allowed is not None and (foreign := [i for i in found if i and i not in allowed]):
        yield (
            f"{origin}: expected the ids {', '.join(map(str, sorted(allowed)))} of the masks given "
            f"up to this frame, found {', '.join(map(str, foreign))}; keep the given ids"
        )


def _words(error: Exception) -> str:
    return " ".join(str(error).split()) or repr(error)
