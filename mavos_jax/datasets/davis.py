"""DAVIS 2016 and 2017: ``{JPEGImages,Annotations}/<resolution>/<sequence>``, lists in ImageSets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mavos_jax.config import IGNORED
from mavos_jax.config.data import SourceConfig
from mavos_jax.datasets.dataset import BenchmarkOptions, BenchmarkSequence, GivenMask
from mavos_jax.datasets.files import FileSet
from mavos_jax.datasets.listing import (
    FRAMES,
    MASKS,
    describe_folder,
    find_sequences,
    require_root,
    split_names,
)
from mavos_jax.datasets.names import read_list
from mavos_jax.datasets.protocol import SequenceMasks, score_objects
from mavos_jax.datasets.rule import ScoringRule
from mavos_jax.datasets.sequences import (
    Layout,
    SequenceFolders,
    build_sequence,
    find_repeated,
    list_frames,
    list_masks,
    require_all_or_first,
)
from mavos_jax.scores.metrics import ObjectScores, mean_scores
from mavos_jax.scores.scores import ObjectResult

_SMALL = ("480p",)
_FULL = ("Full-Resolution", "1080p")
_SMALL_HEIGHT = 480
_LABELLED = ("train", "val", "valid")


def find_davis(options: BenchmarkOptions) -> Layout:
    """Names the sequences of a split's list, at the resolution that is asked for.

    The objects are those of the first frame's mask, which lies below ``masks_root`` if that is
    given, as does the truth. In DAVIS 2016 everything that is not background is one object; its
    lists hold names, or paths of images and masks, and lie in the folder of the year or of a
    resolution, as in the original package.

    Raises:
      ValueError: folders or the list are missing.
    """
    root, masks_root = options.root, options.masks_root or options.root
    lists = _list_candidates(options)
    names = read_list(root, lists)
    require_root(masks_root)
    resolutions = _SMALL if options.resolution == "480p" else _FULL
    frames = _find_resolution(root / FRAMES, resolutions)
    masks = _find_resolution(masks_root / MASKS, resolutions)
    is_shrunk = options.resolution == "full_to_480p"
    truth = masks_root / MASKS / _SMALL[0] if is_shrunk else masks
    origin = next(root / path for path in lists if (root / path).is_file())
    return Layout(
        origin=origin,
        sequences=tuple(
            SequenceFolders(name, frames / name, masks / name, truth / name) for name in names
        ),
        open_sequence=_open_sequence,
        is_labelled=options.split in _LABELLED,
        is_exhaustive=False,
        is_gapless=True,
        is_binary=options.dataset == "davis2016",
        output_height=_SMALL_HEIGHT if is_shrunk else None,
        oddities=find_repeated(origin),
    )


def _open_sequence(sequence: SequenceFolders) -> BenchmarkSequence:
    images = list_frames(sequence)
    masks = list_masks(sequence.masks)
    first = next(iter(images))
    if first not in masks:
        raise ValueError(
            f"{sequence.masks / first}.png: expected the mask of the first frame, found no such "
            f"file; {sequence.masks} holds {describe_folder(sequence.masks)}"
        )
    truth = masks if sequence.truth == sequence.masks else list_masks(sequence.truth)
    require_all_or_first(sequence.truth, truth, list(images), [first])
    return build_sequence(sequence, images, {first: GivenMask(masks[first])}, truth)


def _list_candidates(options: BenchmarkOptions) -> list[str]:
    year = options.dataset.removeprefix("davis")
    folders = (year,) if year == "2017" else (year, *_SMALL, *_FULL)
    names = split_names(options.split)
    return [f"ImageSets/{folder}/{name}.txt" for folder in folders for name in names]


def _find_resolution(folder: Path, resolutions: tuple[str, ...]) -> Path:
    for resolution in resolutions:
        if (folder / resolution).is_dir():
            return folder / resolution
    raise ValueError(
        f"{folder}: expected a folder {' or '.join(resolutions)}, found {describe_folder(folder)}; "
        "choose the resolution that is there"
    )


_RESOLUTIONS = ("480p", "Full-Resolution", "1080p")


def open_davis(config: SourceConfig) -> FileSet:
    """Lists the sequences of a split; those at 480p where there are several resolutions.

    In DAVIS 2016 everything that is not background is one object. Its lists hold names, or paths of
    images and masks as in the original package.

    Raises:
      ValueError: folders, the list or a sequence are missing, or sequences have first masks alone.
    """
    root = Path(config.root)
    require_root(root)
    year = config.kind.removeprefix("davis")
    folders = (year,) if year == "2017" else (year, *_RESOLUTIONS)
    splits = split_names(config.split)
    lists = [f"ImageSets/{folder}/{split}.txt" for folder in folders for split in splits]
    names = read_list(root, lists)
    return FileSet(
        name=f"{config.kind} {config.split}",
        root=str(root.absolute()),
        sequences=find_sequences(root, names, _RESOLUTIONS),
        form="ids" if year == "2017" else "binary",
        max_gap=config.max_gap,
    )


def score_davis2017(
    sequence: BenchmarkSequence, masks: SequenceMasks, rule: ScoringRule
) -> tuple[ObjectResult, ...]:
    """Scores the objects 1 to the highest id of the first true frame.

    An id that the first frame leaves out is an object all the same, one without pixels.

    Args:
      sequence: which the masks belong to; the frames with truth count, but the first and the last.
      masks: of its frames.
      rule: ``official_decay`` counts.

    Raises:
      ValueError: the first true frame has no object, or a predicted id is above them.
    """
    labelled = sorted(sequence.truth)
    first = masks.truth(labelled[0])
    highest = int(np.where(first == IGNORED, 0, first).max())
    if not highest:
        raise ValueError(
            f"{sequence.truth[labelled[0]]}: expected at least one object in the first true mask, "
            "found none"
        )
    counted = dict.fromkeys(range(1, highest + 1), labelled[1:-1])
    return score_objects(sequence, masks, counted, official_decay=rule.official_decay)


def score_davis2016(
    sequence: BenchmarkSequence, masks: SequenceMasks, rule: ScoringRule
) -> tuple[ObjectResult, ...]:
    """Scores the one object of binary masks; see :func:`score_davis2017`."""
    counted = {1: sorted(sequence.truth)[1:-1]}
    return score_objects(sequence, masks, counted, official_decay=rule.official_decay)


def summarise_davis(
    objects: Sequence[ObjectResult], rule: ScoringRule, *, words: str
) -> tuple[str, dict[str, float]]:
    """Averages over objects, those of all sequences alike, under the names of DAVIS 2017.

    Args:
      objects: at least one.
      rule: ``official_decay`` counts.
      words: for the set and the frames that count.

    Returns:
      The rule in words, and the summary.
    """
    mean = mean_scores(row.scores for row in objects)
    decay = "; decay with the official tool's error beyond 256 frames"
    return (
        f"{words}; means over objects" + (decay if rule.official_decay else ""),
        {"J&F-Mean": mean.mean, **_named(mean)},
    )


def _named(scores: ObjectScores) -> dict[str, float]:
    return {
        f"{letter}-{name.capitalize()}": value
        for letter, measure in zip("JF", scores, strict=True)
        for name, value in measure._asdict().items()
    }
