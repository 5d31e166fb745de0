"""Data sets to be segmented and scored, one module for each layout."""

from mavos_jax.data.benchmarks.benchmark import (
    DATASETS,
    Benchmark,
    BenchmarkOptions,
    BenchmarkSequence,
    Dataset,
    GivenMask,
    Resolution,
)
from mavos_jax.data.benchmarks.check import check_benchmark
from mavos_jax.data.benchmarks.opening import open_benchmark

__all__ = [
    "DATASETS",
    "Benchmark",
    "BenchmarkOptions",
    "BenchmarkSequence",
    "Dataset",
    "GivenMask",
    "Resolution",
    "check_benchmark",
    "open_benchmark",
]
