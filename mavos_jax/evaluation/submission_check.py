"""What is wrong with a zip of masks that is meant for the server of a benchmark."""

from __future__ import annotations

import lzma
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from mavos_jax.datasets.dataset import Benchmark
from mavos_jax.datasets.listing import BadName, require_name
from mavos_jax.datasets.sequences import SequenceFiles
from mavos_jax.datasets.table import DATA_SETS
from mavos_jax.evaluation.reading import output_size, read_given
from mavos_jax.media.folders import name_some
from mavos_jax.media.ids import object_ids
from mavos_jax.media.masks import read_values
from mavos_jax.media.pictures import (
    DamagedSample,
    File,
    UnusablePicture,
    describe_size,
    read_frame_header,
    read_header,
)
from mavos_jax.runtime.json_files import shortened

_JPEG_SUFFIXES = (".jpg", ".jpeg")
_ENCRYPTED = 1
_MAX_CHANNELS = 4
_MAX_HEADERS = 1 << 20
"""Bytes of a PNG beside its pixels, generously."""

_UNREADABLE = (
    zipfile.BadZipFile,
    lzma.LZMAError,
    NotImplementedError,
    RuntimeError,
    OverflowError,
    LookupError,
    OSError,
    EOFError,
    ValueError,
    struct.error,
    zlib.error,
)
"""What damaged zips raise."""


def submission_nesting(benchmark: Benchmark) -> PurePosixPath:
    """The folder of a submission that holds those of the sequences."""
    return PurePosixPath(DATA_SETS[benchmark.dataset].nested)


def submission_form(benchmark: Benchmark) -> str:
    """The path of a mask in a submission, such as ``Annotations/<sequence>/<frame>.png``."""
    return str(submission_nesting(benchmark) / "<sequence>" / "<frame>.png")


def find_problems(benchmark: Benchmark, file: Path, masks: Path | None = None) -> list[str]:
    """Checks a zip, as :func:`mavos_jax.evaluation.submission.check_submission` says.

    Args:
      benchmark: what was segmented.
      file: the zip.
      masks: the folder that was packed, of whose files problems are told; else of the zip's.
    """
    if not file.is_file():
        found = "a folder or a pipe" if file.exists() else "no such file"
        return [f"{file}: expected a zip, found {found}"]
    try:
        archive = zipfile.ZipFile(file)
    except _UNREADABLE as error:
        return [
            f"{file}: expected a zip, found another file or a damaged one ({_words(error)}); pack "
            "the masks anew"
        ]
    with archive:
        return _check_archive(benchmark, file, archive, masks)


def _check_archive(
    benchmark: Benchmark, file: Path, archive: zipfile.ZipFile, masks: Path | None
) -> list[str]:
    files, lines = _sort_files(file, archive)
    nesting, found = submission_nesting(benchmark), _find_nesting(benchmark, files)
    if found != nesting:
        lines.append(
            f"{file}: expected {submission_form(benchmark)}, found "
            f"{found / '<sequence>' / '<frame>.png'}; pack the masks as expected"
        )
    folders: dict[PurePosixPath, dict[str, zipfile.ZipInfo]] = {}
    for path, info in files.items():
        folders.setdefault(path.parent, {})[path.name] = info
    place = masks or file / found
    for sequence in benchmark.sequences:
        there = folders.pop(found / sequence.name, {})
        lines += _check_sequence(benchmark, sequence, archive, there, place / sequence.name)
    return lines + [
        f"{file / folder}: expected only {found / '<sequence>' / '<frame>.png'} for the sequences "
        f"of {benchmark.name}, found {name_some(sorted(names))}; remove what belongs to none"
        for folder, names in folders.items()
    ]


def _sort_files(
    file: Path, archive: zipfile.ZipFile
) -> tuple[dict[PurePosixPath, zipfile.ZipInfo], list[str]]:
    """Lists the files of a zip by name, and says which are hidden or there more than once."""
    infos = archive.infolist()
    odd = {info.orig_filename for info in infos if not _is_sound_name(info.orig_filename)}
    locked = [info.filename for info in infos if info.flag_bits & _ENCRYPTED]
    entries = [
        (PurePosixPath(info.filename), info)
        for info in infos
        if info.orig_filename not in odd and not info.is_dir()
    ]
    hidden = [str(path) for path, _ in entries if _is_hidden(path)]
    lines = []
    if odd:
        names = name_some([shortened(name) for name in sorted(odd)])
        lines.append(
            f"{file}: expected names below the zip's top, found {len(odd)} that are empty, "
            f"absolute, or lead elsewhere: {names}; pack the masks anew"
        )
    if locked:
        lines.append(
            f"{file}: expected masks that anybody can read, found {len(locked)} encrypted: "
            f"{name_some(locked)}; pack the masks without a password"
        )
    if hidden:
        lines.append(
            f"{file}: expected masks alone, found {len(hidden)} hidden files: {name_some(hidden)}; "
            "pack the masks without them"
        )
    counts = Counter(path for path, _ in entries)
    lines += [
        f"{file / path}: expected one file of that name, found {count}; pack the masks anew"
        for path, count in counts.items()
        if count > 1
    ]
    return {path: info for path, info in entries if not _is_hidden(path)}, lines


def _is_sound_name(name: str) -> bool:
    """Whether an entry's name, which may end in a slash, leads to a place below the top."""
    try:
        require_name(Path(), name.removesuffix("/"))
    except BadName:
        return False
    return True


def _is_hidden(path: PurePosixPath) -> bool:
    return any(part.startswith(".") or part == "__MACOSX" for part in path.parts)


def _find_nesting(benchmark: Benchmark, files: Iterable[PurePosixPath]) -> PurePosixPath:
    """The folder that holds those of most sequences, which may be the wrong one."""
    names = {sequence.name for sequence in benchmark.sequences}
    folders = {path.parent for path in files}
    counts = Counter(folder.parent for folder in folders if folder.name in names)
    return max((submission_nesting(benchmark), *counts), key=lambda parent: counts[parent])


def _check_sequence(
    benchmark: Benchmark,
    sequence: SequenceFiles,
    archive: zipfile.ZipFile,
    there: Mapping[str, zipfile.ZipInfo],
    place: Path,
) -> list[str]:
    """Checks the files of a sequence, by name, which are told of as lying at ``place``."""
    wanted = {f"{sequence.frame_name(index)}.png": index for index in sequence.saved}
    expected = f"{place}: expected a mask for each of {len(wanted)} frames"
    if not there:
        return [f"{expected}, found none; add the sequence"]
    lines = []
    if missing := [name for name in wanted if name not in there]:
        lines.append(f"{expected}, found {len(missing)} missing: {name_some(missing)}; add them")
    extra = [name for name in there if name not in wanted]
    if jpegs := [name for name in extra if name.lower().endswith(_JPEG_SUFFIXES)]:
        lines.append(
            f"{place}: expected indexed PNGs, found {len(jpegs)} saved as JPEG, which changes ids: "
            f"{name_some(jpegs)}; save the masks as PNGs"
        )
    if others := [name for name in extra if name not in jpegs]:
        lines.append(
            f"{place}: expected masks of {len(wanted)} frames alone, found {len(others)} more: "
            f"{name_some(others)}; remove them"
        )
    stored = read_frame_header(sequence.frames[0]).size
    size = output_size(benchmark, stored)
    given = _given_ids(benchmark, sequence, stored)
    for name, index in wanted.items():
        if name in there:
            ids = [number for start, number in given if start <= index]
            allowed = None if benchmark.is_binary else ids
            lines += _check_mask(archive, there[name], str(place / name), size, allowed)
    return lines


def _given_ids(
    benchmark: Benchmark, sequence: SequenceFiles, stored: tuple[int, int]
) -> list[tuple[int, int]]:
    """Lists frames with given masks and the ids that each has."""
    return [
        (index, number)
        for index in sequence.given
        for number in object_ids(read_given(benchmark, sequence, index, stored)[0])
    ]


def _check_mask(
    archive: zipfile.ZipFile,
    info: zipfile.ZipInfo,
    origin: str,
    size: tuple[int, int],
    allowed: Sequence[int] | None,
) -> list[str]:
    """Says what is wrong with a mask, called ``origin``; no id is if ``allowed`` is None."""
    limit = _MAX_CHANNELS * size[0] * size[1] + _MAX_HEADERS
    if info.file_size > limit:
        return [
            f"{origin}: expected an indexed PNG of {describe_size(size)}, found {info.file_size} "
            f"bytes, more than the {limit} that its pixels can take; save the mask anew"
        ]
    if info.flag_bits & _ENCRYPTED:
        return []  # told for the whole zip
    try:
        file = File(origin, archive.read(info))
    except _UNREADABLE as error:
        words = "expected an indexed PNG, found a file that cannot be read"
        return [f"{origin}: {words}: {_words(error)}; restore it"]
    try:
        header = read_header(file, "a mask")
        is_indexed = (header.kind, header.mode) == ("PNG", "P")
        is_fitting = is_indexed and header.size == size
        found = np.unique(read_values(file).ids) if is_fitting else ()
    except (DamagedSample, UnusablePicture) as error:
        return [str(error)]
    lines = []
    if header.size != size:
        lines.append(
            f"{origin}: expected {describe_size(size)}, found {describe_size(header.size)}; "
            "segment at the size of the frames, or resize the masks to their nearest neighbours"
        )
    if not is_indexed:
        lines.append(
            f"{origin}: expected an indexed PNG, found {header.kind} of mode {header.mode}; save "
            "ids with a palette"
        )
    elif allowed is not None and (foreign := [i for i in found if i and i not in allowed]):
        lines.append(
            f"{origin}: expected the ids {', '.join(map(str, sorted(allowed)))} of the masks given "
            f"up to this frame, found {', '.join(map(str, foreign))}; keep the given ids"
        )
    return lines


def _words(error: Exception) -> str:
    """Words for one of the errors of :data:`_UNREADABLE`, on one line."""
    return " ".join(str(error).split()) or repr(error)
