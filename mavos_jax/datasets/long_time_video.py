"""Long-Time Video: ``{JPEGImages,Annotations}/<sequence>``, of which some frames are labelled."""

from __future__ import annotations

from collections.abc import Sequence

from mavos_jax.datasets.dataset import BenchmarkOptions, BenchmarkSequence, GivenMask
from mavos_jax.datasets.davis import summarise_davis
from mavos_jax.datasets.listing import FRAMES, MASKS, find_pair, split_names
from mavos_jax.datasets.names import read_list
from mavos_jax.datasets.protocol import SequenceMasks, score_objects
from mavos_jax.datasets.rule import ScoringRule
from mavos_jax.datasets.sequences import (
    Layout,
    SequenceFolders,
    build_sequence,
    find_repeated,
    list_frames,
    list_start_masks,
)
from mavos_jax.scores.scores import ObjectResult


def find_long_time_video(options: BenchmarkOptions) -> Layout:
    """Names the sequences of ``ImageSets/<split>.txt`` or ``<split>.txt``.

    The first labelled frame is given, all labelled frames are scored and make up a result, and
    everything that is not background is one object. Frames are played in the natural order of their
    names; the form that plays forward, backward and forward again is no different.

    Raises:
      ValueError: folders or the list are missing.
    """
    root = options.root
    find_pair(root, (".",))
    names = split_names(options.split)
    lists = [f"{folder}/{name}.txt" for folder in ("ImageSets", ".") for name in names]
    sequences = read_list(root, lists)
    origin = next(root / path for path in lists if (root / path).is_file())
    return Layout(
        origin=origin,
        sequences=tuple(
            SequenceFolders(name, root / FRAMES / name, root / MASKS / name, root / MASKS / name)
            for name in sequences
        ),
        open_sequence=_open_sequence,
        is_labelled=False,
        is_exhaustive=False,
        is_gapless=False,
        is_binary=True,
        oddities=find_repeated(origin),
    )


def _open_sequence(sequence: SequenceFolders) -> BenchmarkSequence:
    images = list_frames(sequence)
    masks = list_start_masks(sequence, images)
    first = next(iter(masks))
    return build_sequence(sequence, images, {first: GivenMask(masks[first])}, masks, saved=masks)


def score_long_time_video(
    sequence: BenchmarkSequence, masks: SequenceMasks, rule: ScoringRule
) -> tuple[ObjectResult, ...]:
    """Scores the object of binary masks on the labelled frames, without the given first one.

    Args:
      sequence: which the masks belong to.
      masks: of its frames.
      rule: ``long_time_video`` says whether the last label counts (Liang et al. 2020, "AFB-URR") or
        not (Cheng and Schwing 2022, "XMem", and MAVOS); ``official_decay`` counts, too.

    Raises:
      ValueError: a predicted id is above 1.
    """
    labelled = sorted(sequence.truth)
    end = -1 if rule.long_time_video == "davis" else None
    return score_objects(sequence, masks, {1: labelled[1:end]}, official_decay=rule.official_decay)


def summarise_long_time_video(
    objects: Sequence[ObjectResult], rule: ScoringRule
) -> tuple[str, dict[str, float]]:
    """Averages as for DAVIS; see :func:`summarise_davis`."""
    is_davis = rule.long_time_video == "davis"
    dropped = "rule of DAVIS: first and last" if is_davis else "rule of AFB-URR: first"
    return summarise_davis(objects, rule, words=f"Long-Time Video, {dropped} label dropped")
