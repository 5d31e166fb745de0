"""Long-Time Video: ``{JPEGImages,Annotations}/<sequence>``, of which some frames are labelled."""

from __future__ import annotations

from mavos_jax.data.benchmarks.benchmark import (
    BenchmarkOptions,
    BenchmarkSequence,
    GivenMask,
)
from mavos_jax.data.benchmarks.layout import (
    Layout,
    SequenceFolders,
    build_sequence,
    find_repeated,
    list_frames,
    list_start_masks,
)
from mavos_jax.data.sets.listing import FRAMES, MASKS, find_pair, split_names
from mavos_jax.data.sets.names import read_list


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
