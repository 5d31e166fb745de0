"""Data sets to be segmented and scored, one module for each layout."""

from mavos_jax.datasets.check import check_benchmark
from mavos_jax.datasets.dataset import (
    DATASETS,
    Benchmark,
    BenchmarkOptions,
    BenchmarkSequence,
    Dataset,
    GivenMask,
    Resolution,
)
from mavos_jax.datasets.opening import open_benchmark
from mavos_jax.datasets.source import open_source
from mavos_jax.media.pictures import DamagedSample

__all__ = [
    "DATASETS",
    "Benchmark",
    "BenchmarkOptions",
    "BenchmarkSequence",
    "DamagedSample",
    "Dataset",
    "GivenMask",
    "Resolution",
    "check_benchmark",
    "open_benchmark",
    "open_source",
]
