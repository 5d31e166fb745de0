"""Data sets to train on, to be segmented and to be scored: one value in one module each."""

from mavos_jax.datasets.check import check_benchmark
from mavos_jax.datasets.dataset import Benchmark, BenchmarkOptions, DataSet, Resolution
from mavos_jax.datasets.opening import open_benchmark, open_source
from mavos_jax.datasets.sequences import GivenMask, SequenceFiles
from mavos_jax.datasets.table import DATA_SETS, DATASETS, KINDS, Dataset
from mavos_jax.media.pictures import DamagedSample

__all__ = [
    "DATASETS",
    "DATA_SETS",
    "KINDS",
    "Benchmark",
    "BenchmarkOptions",
    "DamagedSample",
    "DataSet",
    "Dataset",
    "GivenMask",
    "Resolution",
    "SequenceFiles",
    "check_benchmark",
    "open_benchmark",
    "open_source",
]
