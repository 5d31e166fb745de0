"""VOST: ``{JPEGImages,Annotations}/<sequence>`` at 5 frames a second, lists in ImageSets."""

from __future__ import annotations

import functools
from collections.abc import Sequence

from mavos_jax.datasets.dataset import BenchmarkOptions, DataSet, Protocol
from mavos_jax.datasets.davis import score_davis2017
from mavos_jax.datasets.listing import (
    FRAMES,
    MASKS,
    find_list,
    find_pair,
    find_repeated,
    read_list,
    split_names,
)
from mavos_jax.datasets.protocol import ScoringRule, Summary
from mavos_jax.datasets.sequences import Layout, SequenceFolders
from mavos_jax.scores.metrics import Statistics, statistics
from mavos_jax.scores.scores import ObjectResult

_ALL_FRAMES = "JPEGImages_10fps"


def find_vost(options: BenchmarkOptions) -> Layout:
    """Names the sequences of ``ImageSets/<split>.txt``, below the root or its folder ``VOST``.

    The first labelled frame is given. With ``all_frames`` the images are those at 10 frames a
    second, every other of which is labelled; the masks of these make up a result.
    """
    root = find_pair(options.root, (".", "VOST"))
    origin = find_list(root, [f"ImageSets/{name}.txt" for name in split_names(options.split)])
    frames = root / (_ALL_FRAMES if options.all_frames else FRAMES)
    masks = root / MASKS
    return Layout(
        origin=origin,
        sequences=tuple(
            SequenceFolders(name, frames / name, masks / name, masks / name)
            for name in read_list(origin)
        ),
        starts="first mask" if options.all_frames else "first frame",
        saves_labelled=options.all_frames,
        is_labelled=options.split != "test" and not options.all_frames,
        is_exhaustive=False,
        is_gapless=False,
        oddities=find_repeated(origin),
    )


def summarise_vost(objects: Sequence[ObjectResult], rule: ScoringRule) -> Summary:
    """Averages J over objects under the names of the official tool; it has no F.

    J_last, "J_tr" in the paper, is J over the last quarter of the frames that count.
    """
    summary: dict[str, float] = {}
    for name, part in (("J_last", _last_quarter), ("J", lambda values: values)):
        rows = [statistics(part(row.region), official_decay=rule.official_decay) for row in objects]
        means = Statistics(*(sum(column) / len(rows) for column in zip(*rows, strict=True)))
        summary |= {f"{name}-{key.capitalize()}": value for key, value in means._asdict().items()}
    return (
        "VOST: first and last labelled frame dropped, pixels of 255 are background; J_last (J_tr) "
        "over the last quarter of the frames; means over objects",
        summary,
    )


def _last_quarter(values: Sequence[float]) -> Sequence[float]:
    return values[3 * len(values) // 4 :]


VOST = DataSet(
    find_vost,
    protocol=Protocol(functools.partial(score_davis2017, knows_others=True), summarise_vost),
    options=("all_frames",),
    trains_on="videos",
)
