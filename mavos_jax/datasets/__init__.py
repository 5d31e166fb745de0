"""Data sets to train on, segment and score: each is one value in one module."""

from mavos_jax.datasets.check import check_benchmark
from mavos_jax.datasets.dataset import Benchmark, BenchmarkOptions, Resolution
from mavos_jax.datasets.opening import open_benchmark, open_source
from mavos_jax.datasets.sequences import GivenMask, SequenceFiles
from mavos_jax.datasets.table import BENCHMARKS, TRAINING_KINDS, BenchmarkName
from mavos_jax.media.pictures import DamagedSample

__all__ = [
    "BENCHMARKS",
    "TRAINING_KINDS",
    "Benchmark",
    "BenchmarkName",
    "BenchmarkOptions",
    "DamagedSample",
    "GivenMask",
    "Resolution",
    "SequenceFiles",
    "check_benchmark",
    "open_benchmark",
    "open_source",
]
