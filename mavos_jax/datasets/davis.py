"""DAVIS 2016 and 2017: ``{JPEGImages,Annotations}/<resolution>/<sequence>``, lists in ImageSets."""

import functools
from pathlib import Path

import numpy as np

from mavos_jax.config import IGNORED
from mavos_jax.datasets import listing, protocol
from mavos_jax.datasets.dataset import BenchmarkOptions, DataSet, Published
from mavos_jax.datasets.sequences import Layout, SequenceFiles, SequenceFolders
from mavos_jax.media.folders import describe_folder
from mavos_jax.scores.metrics import mean_scores

_SMALL = ("480p",)
_FULL = ("Full-Resolution", "1080p")
_SMALL_HEIGHT = 480
_LABELLED = ("train", "val", "valid")


def find_davis(options: BenchmarkOptions) -> Layout:
    """Names the sequences of a split's list, at the requested resolution; training prefers 480p."""
    root, masks_root = options.root, options.masks_root or options.root
    year = options.dataset.removeprefix("davis")
    # The lists of 2016 lie in the folder of the year or, in the original package, a resolution.
    folders = (year,) if year == "2017" else (year, *_SMALL, *_FULL)
    listed = listing.read_split(root, [f"ImageSets/{f}" for f in folders], options.split_names)
    listing.require_root(masks_root)
    resolutions = _SMALL if options.resolution == "480p" else _FULL
    resolutions = (*_SMALL, *_FULL) if options.for_training else resolutions
    frames, masks = _find_resolution(root / listing.FRAMES, masks_root / listing.MASKS, resolutions)
    is_shrunk = options.resolution == "full_to_480p"
    truth = masks_root / listing.MASKS / _SMALL[0] if is_shrunk else masks
    return Layout(
        origin=listed.path,
        sequences=tuple(SequenceFolders(n, frames / n, masks / n, truth / n) for n in listed.names),
        starts="first frame",
        is_labelled=options.split in _LABELLED,
        is_exhaustive=False,
        output_height=_SMALL_HEIGHT if is_shrunk else None,
        oddities=listed.oddities,
    )


def _find_resolution(frames: Path, masks: Path, resolutions: tuple[str, ...]) -> tuple[Path, Path]:
    for resolution in resolutions:
        if (frames / resolution).is_dir() and (masks / resolution).is_dir():
            return frames / resolution, masks / resolution
    raise ValueError(
        f"{frames}: expected a folder {' or '.join(resolutions)}, here and in {masks}, found "
        f"{describe_folder(frames)} and {describe_folder(masks)}; choose the resolution that is "
        "there"
    )


def score_davis2017(
    sequence: SequenceFiles,
    masks: protocol.SequenceMasks,
    options: protocol.ScoringOptions,
    *,
    knows_others: bool = False,
) -> protocol.Rows:
    """Scores the objects 1 to the highest id of the first true mask on inner labelled frames."""
    labelled = sorted(sequence.truth)
    first = masks.truth(labelled[0])
    highest = int(np.where(first == IGNORED, 0, first).max())
    if not highest:
        raise ValueError(
            f"{sequence.truth[labelled[0]]}: expected at least one object in the first true mask, "
            "found none"
        )
    counted = dict.fromkeys(range(1, highest + 1), labelled[1:-1])
    return protocol.score_objects(sequence.name, masks, counted, options, knows_others=knows_others)


def score_davis2016(
    sequence: SequenceFiles, masks: protocol.SequenceMasks, options: protocol.ScoringOptions
) -> protocol.Rows:
    """Scores the one object of binary masks; see :func:`score_davis2017`."""
    return protocol.score_objects(sequence.name, masks, {1: sorted(sequence.truth)[1:-1]}, options)


def summarise_davis(
    objects: protocol.Objects, options: protocol.ScoringOptions, *, words: str
) -> protocol.Summary:
    """Averages over the objects of all sequences, under the names of DAVIS 2017."""
    mean = mean_scores(row.scores for row in objects)
    decay = "; decay with the official tool's error beyond 256 frames"
    named = {
        f"{letter}-{name.capitalize()}": value
        for letter, measure in zip("JF", mean, strict=True)
        for name, value in measure._asdict().items()
    }
    return (
        f"{words}; means over objects" + (decay if options.official_decay else ""),
        {"J&F-Mean": mean.mean, **named},
    )


_OPTIONS = ("masks_root", "resolution")

DAVIS2016 = DataSet(
    find_davis,
    masks="binary",
    protocol=protocol.Protocol(
        score_davis2016,
        functools.partial(
            summarise_davis, words="DAVIS 2016, one object: first and last frame dropped"
        ),
    ),
    options=_OPTIONS,
    trains_on="videos",
)
DAVIS2017 = DataSet(
    find_davis,
    protocol=protocol.Protocol(
        score_davis2017,
        functools.partial(
            summarise_davis, words="DAVIS 2017, semi-supervised: first and last frame dropped"
        ),
    ),
    options=_OPTIONS,
    trains_on="videos",
    server="https://davischallenge.org",
    published=(
        Published("MAVOS", "Table 4", 84.4, 81.5, 87.2, 39.2),
        Published("R50-MAVOS", "Table 4", 85.6, 82.6, 88.5, 37.6),
        Published("SwinB-MAVOS", "Table 4", 86.4, 83.2, 89.6, 21.8),
        Published("DeAOT-L", "Table 4", 84.5, 81.6, 87.4, 29.3),
        Published("AOT-L", "Table 4", 83.8, 81.1, 86.4, 20.3),
        Published("DeAOT-L-2F", "Table 5", 82.5),
        Published("DeAOT-L-6F", "Table 5", 84.5),
    ),
)
