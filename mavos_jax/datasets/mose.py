"""MOSE v1 and v2: ``<split>/{JPEGImages,Annotations}/<video>``, every frame labelled in train."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mavos_jax.config.data import SourceConfig
from mavos_jax.datasets.any_folder import name_subfolders
from mavos_jax.datasets.dataset import BenchmarkOptions, BenchmarkSequence
from mavos_jax.datasets.davis import summarise_davis
from mavos_jax.datasets.files import FileSet
from mavos_jax.datasets.listing import FRAMES, find_pair, pair_all, split_names
from mavos_jax.datasets.mask_ids import starting_masks
from mavos_jax.datasets.protocol import SequenceMasks, score_objects
from mavos_jax.datasets.rule import ScoringRule
from mavos_jax.datasets.sequences import (
    Layout,
    SequenceFolders,
    build_sequence,
    list_frames,
    list_start_masks,
    require_all_or_first,
)
from mavos_jax.media.masks import object_ids
from mavos_jax.scores.scores import ObjectResult


def find_mose(options: BenchmarkOptions) -> Layout:
    """Names the videos of a split.

    The first mask is given, and every later one with new ids; where there are several, all of them
    are read for that.

    Raises:
      ValueError: folders are missing.
    """
    root, names = options.root, split_names(options.split)
    own = ["."] if root.absolute().name in names else []
    folder = root / find_pair(root, (*names, *own))
    return Layout(
        origin=folder / FRAMES,
        sequences=name_subfolders(folder),
        open_sequence=_open_sequence,
        is_labelled=options.split == "train",
        is_exhaustive=True,
        is_gapless=True,
    )


def _open_sequence(sequence: SequenceFolders) -> BenchmarkSequence:
    images = list_frames(sequence)
    masks = list_start_masks(sequence, images)
    given = starting_masks(masks)
    names = list(images)
    start = min(names.index(name) for name in given)
    require_all_or_first(sequence.truth, masks, names[start:], given)
    return build_sequence(sequence, images, given, masks)


def open_mose(config: SourceConfig) -> FileSet:
    """Lists the videos of a split.

    Raises:
      ValueError: folders are missing, or videos have first masks alone, as those of ``valid`` do.
    """
    root = Path(config.root)
    folder = find_pair(root, split_names(config.split))
    return FileSet(
        name=f"{config.kind} {config.split}",
        root=str(root.absolute()),
        sequences=pair_all(root, folder, annotated_only=False),
        form="ids",
        max_gap=config.max_gap,
    )


def score_mose(
    sequence: BenchmarkSequence, masks: SequenceMasks, rule: ScoringRule
) -> tuple[ObjectResult, ...]:
    """Scores the objects of the given masks, each after the frame of its first.

    Ids need not be without holes. Of the frames with truth, the first and the last do not count.

    Args:
      sequence: which the masks belong to.
      masks: of its frames.
      rule: ``official_decay`` counts.

    Raises:
      ValueError: a predicted id is above all objects.
    """
    inner = sorted(sequence.truth)[1:-1]
    starts: dict[int, int] = {}
    for frame, given in sorted(sequence.given.items()):
        ids = object_ids(masks.truth(frame)) if given.ids is None else given.ids
        for number in ids:
            starts.setdefault(number, frame)
    counted = {
        number: [frame for frame in inner if frame > start]
        for number, start in sorted(starts.items())
    }
    return score_objects(sequence, masks, counted, official_decay=rule.official_decay)


def summarise_mose(
    objects: Sequence[ObjectResult], rule: ScoringRule
) -> tuple[str, dict[str, float]]:
    """Averages as for DAVIS; see :func:`summarise_davis`."""
    words = (
        "as DAVIS 2017: first and last labelled frame dropped, objects that appear later count "
        "after their first mask"
    )
    return summarise_davis(objects, rule, words=words)
