"""The data sets by their names: a row each, and a place in ``BenchmarkName`` if it is scored."""

from collections.abc import Mapping
from typing import Literal

from mavos_jax.datasets.any_folder import ANY_FOLDER, STATIC
from mavos_jax.datasets.dataset import DataSet
from mavos_jax.datasets.davis import DAVIS2016, DAVIS2017
from mavos_jax.datasets.long_time_video import LONG_TIME_VIDEO
from mavos_jax.datasets.lvos import LVOS, LVOS1, LVOS_OF_ANY_VERSION
from mavos_jax.datasets.mose import MOSE, MOSEV2
from mavos_jax.datasets.protocol import Protocol
from mavos_jax.datasets.sav import SAV
from mavos_jax.datasets.vost import VOST
from mavos_jax.datasets.youtube_vos import YOUTUBE_VOS, YOUTUBE_VOS_OF_ANY_YEAR

DATA_SETS: Mapping[str, DataSet] = {
    "davis2016": DAVIS2016,
    "davis2017": DAVIS2017,
    "youtube_vos2018": YOUTUBE_VOS,
    "youtube_vos2019": YOUTUBE_VOS,
    "youtube_vos": YOUTUBE_VOS_OF_ANY_YEAR,
    "lvos1": LVOS1,
    "lvos2": LVOS,
    "lvos": LVOS_OF_ANY_VERSION,
    "long_time_video": LONG_TIME_VIDEO,
    "mose": MOSE,
    "mosev2": MOSEV2,
    "sav": SAV,
    "vost": VOST,
    "static": STATIC,
    "folder": ANY_FOLDER,
}

BenchmarkName = Literal[  # the data sets that can be evaluated
    "davis2016",
    "davis2017",
    "youtube_vos2018",
    "youtube_vos2019",
    "lvos1",
    "lvos2",
    "long_time_video",
    "mose",
    "mosev2",
    "sav",
    "vost",
    "folder",
]

BENCHMARKS = tuple(name for name, data_set in DATA_SETS.items() if data_set.protocol is not None)
TRAINING_KINDS = tuple(name for name, each in DATA_SETS.items() if each.trains_on is not None)
"""The data sets that training reads from files."""


def find_protocol(dataset: str) -> Protocol:
    """Returns how a data set is scored; raises ValueError if it is unknown or only trained on."""
    data_set = DATA_SETS.get(dataset)
    if data_set is None or data_set.protocol is None:
        raise ValueError(f"dataset: expected one of {', '.join(BENCHMARKS)}, found {dataset!r}")
    return data_set.protocol
