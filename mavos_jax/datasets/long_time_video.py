"""Long-Time Video: ``{JPEGImages,Annotations}/<sequence>``, of which some frames are labelled."""

from __future__ import annotations

from collections.abc import Sequence

from mavos_jax.datasets.dataset import BenchmarkOptions, DataSet, Protocol, Published
from mavos_jax.datasets.davis import summarise_davis
from mavos_jax.datasets.listing import (
    FRAMES,
    MASKS,
    find_list,
    find_pair,
    find_repeated,
    read_list,
    split_names,
)
from mavos_jax.datasets.protocol import ScoringRule, SequenceMasks, Summary, score_objects
from mavos_jax.datasets.sequences import Layout, SequenceFiles, SequenceFolders
from mavos_jax.scores.scores import ObjectResult


def find_long_time_video(options: BenchmarkOptions) -> Layout:
    """Names the sequences of ``ImageSets/<split>.txt`` or ``<split>.txt``.

    The first labelled frame is given, all labelled frames are scored and make up a result, and
    everything that is not background is one object. Frames are played in the natural order of their
    names; the form that plays forward, backward and forward again is no different.
    """
    root = find_pair(options.root, (".",))
    names = split_names(options.split)
    origin = find_list(root, [f"{f}/{name}.txt" for f in ("ImageSets", ".") for name in names])
    return Layout(
        origin=origin,
        sequences=tuple(
            SequenceFolders(name, root / FRAMES / name, root / MASKS / name, root / MASKS / name)
            for name in read_list(origin)
        ),
        starts="first mask",
        saves_labelled=True,
        is_exhaustive=False,
        is_gapless=False,
        oddities=find_repeated(origin),
    )


def score_long_time_video(
    sequence: SequenceFiles, masks: SequenceMasks, rule: ScoringRule
) -> tuple[ObjectResult, ...]:
    """Scores the object of binary masks on the labelled frames, without the given first one.

    The last label counts by the rule of Liang et al. 2020 ("AFB-URR"), and does not by that of
    Cheng and Schwing 2022 ("XMem"), which MAVOS follows.
    """
    labelled = sorted(sequence.truth)
    end = -1 if rule.long_time_video == "davis" else None
    return score_objects(sequence.name, masks, {1: labelled[1:end]}, rule)


def summarise_long_time_video(objects: Sequence[ObjectResult], rule: ScoringRule) -> Summary:
    """Averages as for DAVIS; see :func:`summarise_davis`."""
    is_davis = rule.long_time_video == "davis"
    dropped = "rule of DAVIS: first and last" if is_davis else "rule of AFB-URR: first"
    return summarise_davis(objects, rule, words=f"Long-Time Video, {dropped} label dropped")


LONG_TIME_VIDEO = DataSet(
    find_long_time_video,
    masks="binary",
    protocol=Protocol(score_long_time_video, summarise_long_time_video),
    published=(
        Published("MAVOS", "Table 3", 87.4, 85.7, 89.0, 38.9, 4.9),
        Published("R50-MAVOS", "Table 3", 87.5, 86.1, 88.9, 38.2),
        Published("SwinB-MAVOS", "Table 3", 90.3, 87.7, 92.9, 22.0),
        Published("DeAOT-L", "Table 3", 87.9, 86.0, 89.8, 4.1, 38.6),
        Published("DeAOT-L-2F", "Table 5", 81.2),
        Published("DeAOT-L-6F", "Table 5", 86.0),
    ),
)
