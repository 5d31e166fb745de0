"""Zips of masks for the servers of benchmarks: writing them, and checking anybody's."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import NamedTuple

from mavos_jax.datasets.dataset import Benchmark
from mavos_jax.evaluation.reading import find_masks, mask_path
from mavos_jax.evaluation.submission_check import (
    find_problems,
    submission_form,
    submission_nesting,
)
from mavos_jax.runtime.files import written_whole

__all__ = ["SubmissionSummary", "check_submission", "submission_form", "write_submission"]

# The same masks give the same bytes, whenever they are packed.
_DATE = (1980, 1, 1, 0, 0, 0)
_UNIX = 3
_PERMISSIONS = 0o100644 << 16


class SubmissionSummary(NamedTuple):
    """What was packed.

    Attributes:
      path: the zip.
      num_sequences: in it.
      num_frames: masks in it.
      num_bytes: of the zip.
    """

    path: Path
    num_sequences: int
    num_frames: int
    num_bytes: int


def write_submission(benchmark: Benchmark, results: Path, path: Path) -> SubmissionSummary:
    """Packs the masks that make up a result, as the server of the set takes them.

    Masks are packed as they are, one at a time, and the zip is checked before it gets its name.

    Args:
      benchmark: what was segmented, with all sequences of its split.
      results: see :func:`mavos_jax.evaluation.reading.find_masks`.
      path: the zip; what was there is replaced.

    Raises:
      ValueError: masks are missing or :func:`check_submission` finds them wrong; the message names
        the first problem and counts them.
      OSError: the zip cannot be written.
    """
    masks = find_masks(results, benchmark)
    with written_whole(path) as temporary:
        _pack(benchmark, masks, temporary)
        problems = find_problems(benchmark, temporary, masks)
        if problems:
            is_one = len(problems) == 1
            count = "the only problem" if is_one else f"the first of {len(problems)} problems"
            raise ValueError(f"{problems[0]} ({count}; {path} is not written)")
    return SubmissionSummary(
        path,
        len(benchmark.sequences),
        sum(len(sequence.saved) for sequence in benchmark.sequences),
        path.stat().st_size,
    )


def check_submission(benchmark: Benchmark, path: Path) -> list[str]:
    """Looks for everything in a zip that its server would refuse or score wrongly.

    These are missing and additional sequences and frames, folders above the sequences that are
    missing or too many, files that are hidden or there twice, and masks that are damaged, no
    indexed PNGs, of another size than results have, or that hold ids which no mask given up to
    their frame has. Which ids a binary set has does not matter.

    Args:
      benchmark: what was segmented, with all sequences of its split.
      path: the zip, whoever made it.

    Returns:
      A line for each problem. Empty if all is well.

    Raises:
      ValueError: a given mask or the first frame of a sequence of the set cannot be read.
    """
    return find_problems(benchmark, path)


def _pack(benchmark: Benchmark, masks: Path, file: Path) -> None:
    """Packs the saved masks that are there; the check finds the others missing."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for sequence in benchmark.sequences:
            for index in sequence.saved:
                mask = mask_path(masks, sequence, index)
                if not mask.is_file():
                    continue
                name = submission_nesting(benchmark) / sequence.name / mask.name
                info = zipfile.ZipInfo(str(name), _DATE)
                info.create_system, info.external_attr = _UNIX, _PERMISSIONS
                archive.writestr(info, mask.read_bytes())
