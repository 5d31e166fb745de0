"""VOST: ``{JPEGImages,Annotations}/<sequence>`` at 5 frames a second, lists in ImageSets."""

import functools

from mavos_jax.datasets import listing
from mavos_jax.datasets.dataset import BenchmarkOptions, DataSet
from mavos_jax.datasets.davis import score_davis2017
from mavos_jax.datasets.protocol import Objects, Protocol, ScoringOptions, Summary
from mavos_jax.datasets.sequences import Layout, sequences_below
from mavos_jax.scores.metrics import Statistics, statistics

_ALL_FRAMES = "JPEGImages_10fps"


def find_vost(options: BenchmarkOptions) -> Layout:
    """Names the sequences of ``ImageSets/<split>.txt``, below the root or its folder ``VOST``."""
    root = listing.find_pair(options.root, (".", "VOST"))
    listed = listing.read_split(root, ("ImageSets",), options.split_names)
    frames = root / (_ALL_FRAMES if options.all_frames else listing.FRAMES)
    return Layout(
        origin=listed.path,
        sequences=sequences_below(frames, root / listing.MASKS, listed.names),
        starts="first mask" if options.all_frames else "first frame",
        saves_labelled=options.all_frames and options.split != "test",
        is_labelled=options.split != "test" and not options.all_frames,
        is_exhaustive=False,
        is_gapless=False,
        oddities=listed.oddities,
    )


def summarise_vost(objects: Objects, options: ScoringOptions) -> Summary:
    """Averages J under the official names; J_last, "J_tr" in the paper, is the last quarter's."""
    summary: dict[str, float] = {}
    for name, left_out in (("J_last", 3), ("J", 0)):
        parts = [row.region[left_out * len(row.region) // 4 :] for row in objects]
        rows = [statistics(part, official_decay=options.official_decay) for part in parts]
        means = Statistics(*(sum(column) / len(rows) for column in zip(*rows, strict=True)))
        summary |= {f"{name}-{key.capitalize()}": value for key, value in means._asdict().items()}
    return (
        "VOST: first and last labelled frame dropped, pixels of 255 are background; J_last (J_tr) "
        "over the last quarter of the frames; means over objects",
        summary,
    )


VOST = DataSet(
    find_vost,
    protocol=Protocol(functools.partial(score_davis2017, knows_others=True), summarise_vost),
    options=("all_frames",),
    trains_on="videos",
)
