"""Opens any data set that is to be segmented, scored or submitted."""

from __future__ import annotations

import dataclasses

from mavos_jax.datasets.any_folder import find_folder
from mavos_jax.datasets.completeness import describe_unlabelled, open_complete
from mavos_jax.datasets.dataset import Benchmark, BenchmarkOptions
from mavos_jax.datasets.davis import find_davis
from mavos_jax.datasets.listing import name_some
from mavos_jax.datasets.long_time_video import find_long_time_video
from mavos_jax.datasets.lvos import find_lvos
from mavos_jax.datasets.mose import find_mose
from mavos_jax.datasets.names import require_name
from mavos_jax.datasets.sequences import Layout
from mavos_jax.datasets.youtube_vos import find_youtube_vos

_FINDERS = {
    "davis2016": find_davis,
    "davis2017": find_davis,
    "youtube_vos2018": find_youtube_vos,
    "youtube_vos2019": find_youtube_vos,
    "lvos1": find_lvos,
    "lvos2": find_lvos,
    "long_time_video": find_long_time_video,
    "mose": find_mose,
    "folder": find_folder,
}


def open_benchmark(options: BenchmarkOptions) -> Benchmark:
    """Lists the files of a data set, and reads masks where they alone tell which objects appear.

    Raises:
      ValueError: an option does not fit the set; folders, lists, frames or masks are missing or
        contradict each other; or sequences have no truth although the others do, or all should.
        One line names the place, what was expected there and what was found.
    """
    layout = find_layout(options)
    sequences = tuple(open_complete(layout, sequence) for sequence in layout.sequences)
    unlabelled = describe_unlabelled(layout, sequences)
    if unlabelled is not None:
        raise ValueError(unlabelled)
    return Benchmark(
        dataset=options.dataset,
        split=options.split,
        root=options.root,
        sequences=sequences,
        is_binary=layout.is_binary,
        short_edge=options.short_edge,
        output_height=layout.output_height,
    )


def find_layout(options: BenchmarkOptions) -> Layout:
    """Names the sequences of a data set without opening them, only those that are asked for.

    Raises:
      ValueError: an option does not fit the set, its folders or its list are missing, a sequence
        has an odd name, or sequences that are asked for are not there.
    """
    _require_fitting(options)
    layout = _FINDERS[options.dataset](options)
    known = [require_name(layout.origin, sequence.name) for sequence in layout.sequences]
    unknown = [name for name in options.sequences if name not in known]
    if unknown:
        raise ValueError(
            f"{layout.origin}: expected the sequences asked for, found no {name_some(unknown)} "
            f"among {len(known)}: {name_some(known)}"
        )
    if not options.sequences:
        return layout
    chosen = tuple(s for s in layout.sequences if s.name in options.sequences)
    return dataclasses.replace(layout, sequences=chosen)


def _require_fitting(options: BenchmarkOptions) -> None:
    """Raises ValueError for options that the set would ignore, or that are out of range."""
    is_davis = options.dataset.startswith("davis")
    is_youtube_vos = options.dataset.startswith("youtube_vos")
    conditions = {
        "masks_root": is_davis or options.masks_root is None,
        "resolution": is_davis or options.resolution == "480p",
        "all_frames": is_youtube_vos or not options.all_frames,
    }
    for field, fits in conditions.items():
        if not fits:
            owner = "YouTube-VOS" if field == "all_frames" else "DAVIS"
            raise ValueError(
                f"{field}: expected the default for {options.dataset}, found "
                f"{getattr(options, field)}; only {owner} has it"
            )
    if options.short_edge is not None and options.short_edge < 1:
        raise ValueError(f"short_edge: expected at least 1 pixel, found {options.short_edge}")
