"""VOST: ``{JPEGImages,Annotations}/<sequence>`` at 5 frames a second, lists in ImageSets."""

from collections.abc import Sequence
from statistics import fmean

from mavos_jax.datasets import listing, protocol
from mavos_jax.datasets.dataset import BenchmarkOptions, DataSet
from mavos_jax.datasets.davis import score_davis2017
from mavos_jax.datasets.sequences import Layout, SequenceFiles, sequences_below
from mavos_jax.scores.metrics import ObjectResult, Statistics, statistics

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


def score_vost(
    sequence: SequenceFiles, masks: protocol.SequenceMasks, options: protocol.ScoringOptions
) -> protocol.Rows:
    """Scores as DAVIS 2017, and J over the last quarter of an object's frames."""
    rows = score_davis2017(sequence, masks, options, knows_others=True)
    return tuple(row._replace(extra={"J_last": fmean(_last_quarter(row))}) for row in rows)


def _last_quarter(row: ObjectResult) -> Sequence[float]:
    return row.region[3 * len(row.region) // 4 :]


def summarise_vost(objects: protocol.Objects, options: protocol.ScoringOptions) -> protocol.Summary:
    """Averages J under the official names; J_last, "J_tr" in the paper, is the last quarter's."""
    summary: dict[str, float] = {}
    last, whole = map(_last_quarter, objects), (row.region for row in objects)
    for name, parts in (("J_last", last), ("J", whole)):
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
    protocol=protocol.Protocol(
        *(score_vost, summarise_vost),
        lambda summary: dict(sorted(summary.items(), key=lambda item: "last" in item[0])),
        boundary="",
    ),
    options=("all_frames",),
    trains_on="videos",
)
