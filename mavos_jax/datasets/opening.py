"""Opens any data set, as a benchmark or as training videos."""

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path

from mavos_jax.config.data import SourceConfig
from mavos_jax.datasets.dataset import Benchmark, BenchmarkOptions
from mavos_jax.datasets.files import FileSet
from mavos_jax.datasets.listing import require_name
from mavos_jax.datasets.pairing import open_sequence
from mavos_jax.datasets.sequences import Layout, SequenceFiles
from mavos_jax.datasets.table import DATA_SETS, TRAINING_KINDS, find_protocol
from mavos_jax.generated.sets import open_generated
from mavos_jax.media.folders import name_some
from mavos_jax.media.samples import VideoSet

_MIN_MASKS = 2


def open_benchmark(options: BenchmarkOptions) -> Benchmark:
    """Lists a data set's files; reads masks only where nothing else tells which objects appear."""
    layout = find_layout(options)
    sequences = tuple(open_sequence(layout, folders) for folders in layout.sequences)
    for fault in unlabelled_faults(layout, sequences):
        raise ValueError(fault)
    return Benchmark(
        dataset=options.dataset,
        split=options.split,
        root=options.root,
        sequences=sequences,
        is_binary=DATA_SETS[options.dataset].masks == "binary",
        short_edge=options.short_edge,
        output_height=layout.output_height,
        notes=layout.oddities,
    )


def find_layout(options: BenchmarkOptions) -> Layout:
    """Names the requested sequences of a data set without opening them."""
    find_protocol(options.dataset)
    _require_fitting(options)
    layout = DATA_SETS[options.dataset].find(options)
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


def unlabelled_faults(layout: Layout, sequences: Sequence[SequenceFiles]) -> list[str]:
    """Reports sequences that cannot be scored although others can, or all should."""
    names = [sequence.name for sequence in sequences if not sequence.has_truth]
    if not names or (len(names) == len(sequences) and not layout.is_labelled):
        return []
    return [
        f"{layout.origin}: expected true masks beyond the given ones of all {len(sequences)} "
        f"sequences{'' if layout.is_labelled else ' or of none'}, found none of {len(names)}: "
        f"{name_some(names)}; restore them, or leave them out"
    ]


def open_source(config: SourceConfig, size: tuple[int, int] = (480, 854)) -> VideoSet:
    """Opens training videos without reading any; generated ones get a height and a width."""
    if config.kind == "synthetic":
        return open_generated(config, size)
    if config.format == "records":
        from mavos_jax.datasets.records import open_records

        return open_records(dataclasses.replace(config, root=os.path.expanduser(config.root)))
    return open_files(config)


def open_files(config: SourceConfig) -> FileSet:
    """Opens training videos that are laid out as files; see :func:`open_source`."""
    if config.kind not in TRAINING_KINDS:
        known = ", ".join(sorted((*TRAINING_KINDS, "synthetic")))
        raise ValueError(f"kind of a source: expected one of {known}, found {config.kind!r}")
    data_set = DATA_SETS[config.kind]
    root = Path(os.path.expanduser(config.root)).absolute()
    layout = data_set.find(BenchmarkOptions(config.kind, config.split, root, for_training=True))
    is_static = data_set.trains_on == "images"
    sequences = tuple(data_set.pair(layout, folders) for folders in layout.sequences)
    short = [s.name for s in sequences if len(s.truth) < _MIN_MASKS and not is_static]
    if short:
        raise ValueError(
            f"{root}: expected at least {_MIN_MASKS} frames with masks in every sequence, found "
            f"fewer in {len(short)}: {name_some(short)}; training needs more than first masks"
        )
    return FileSet(
        name=f"{config.kind} {config.split}",
        sequences=sequences,
        form=data_set.masks,
        max_gap=config.max_gap,
        is_static=is_static,
        num_left_out=layout.num_left_out,
    )


def _require_fitting(options: BenchmarkOptions) -> None:
    default = BenchmarkOptions(options.dataset, options.split, options.root)
    for field in dict.fromkeys(field for each in DATA_SETS.values() for field in each.options):
        owners = [name for name, data_set in DATA_SETS.items() if field in data_set.options]
        value = getattr(options, field)
        if options.dataset not in owners and value != getattr(default, field):
            raise ValueError(
                f"{field}: expected the default for {options.dataset}, found {value}; only "
                f"{', '.join(owners)} have it"
            )
    if options.short_edge is not None and options.short_edge < 1:
        raise ValueError(f"short_edge: expected at least 1 pixel, found {options.short_edge}")
