"""Long-Time Video: ``{JPEGImages,Annotations}/<sequence>``, of which some frames are labelled."""

from mavos_jax.datasets import listing, protocol
from mavos_jax.datasets.dataset import BenchmarkOptions, DataSet, Published
from mavos_jax.datasets.davis import summarise_davis
from mavos_jax.datasets.sequences import Layout, SequenceFiles, sequences_below


def find_long_time_video(options: BenchmarkOptions) -> Layout:
    """Names the sequences of the split's list; frames are in the natural order of their names."""
    root = listing.find_pair(options.root, (".",))
    listed = listing.read_split(root, ("ImageSets", "."), options.split_names)
    return Layout(
        origin=listed.path,
        sequences=sequences_below(root / listing.FRAMES, root / listing.MASKS, listed.names),
        starts="first mask",
        saves_labelled=True,
        is_exhaustive=False,
        is_gapless=False,
        oddities=listed.oddities,
    )


def score_long_time_video(
    sequence: SequenceFiles, masks: protocol.SequenceMasks, options: protocol.ScoringOptions
) -> protocol.Rows:
    """Scores the object on the labelled frames after the given one, perhaps without the last."""
    # The last counts for Liang et al. 2020 (AFB-URR), not for Cheng and Schwing 2022 (XMem).
    labelled = sorted(sequence.truth)
    end = -1 if options.long_time_video == "davis" else None
    return protocol.score_objects(sequence.name, masks, {1: labelled[1:end]}, options)


def summarise_long_time_video(
    objects: protocol.Objects, options: protocol.ScoringOptions
) -> protocol.Summary:
    """Averages as for DAVIS; see :func:`summarise_davis`."""
    is_davis = options.long_time_video == "davis"
    dropped = "rule of DAVIS: first and last" if is_davis else "rule of AFB-URR: first"
    return summarise_davis(objects, options, words=f"Long-Time Video, {dropped} label dropped")


LONG_TIME_VIDEO = DataSet(
    find_long_time_video,
    masks="binary",
    protocol=protocol.Protocol(score_long_time_video, summarise_long_time_video),
    published=(
        Published("MAVOS", "Table 3", 87.4, 85.7, 89.0, 38.9, 4.9),
        Published("R50-MAVOS", "Table 3", 87.5, 86.1, 88.9, 38.2),
        Published("SwinB-MAVOS", "Table 3", 90.3, 87.7, 92.9, 22.0),
        Published("DeAOT-L", "Table 3", 87.9, 86.0, 89.8, 4.1, 38.6),
        Published("DeAOT-L-2F", "Table 5", 81.2),
        Published("DeAOT-L-6F", "Table 5", 86.0),
    ),
)
