"""The numbers of the MAVOS paper that results are shown beside.

Source: Shaker et al., Efficient Video Object Segmentation via Modulated Cross-Attention Memory,
Tables 2 to 5 and Figure 1; speed on one V100 GPU by the protocol of AOT.
"""

from __future__ import annotations

import re
from typing import NamedTuple


class PaperRow(NamedTuple):
    """What the paper reports of a model on a set.

    Attributes:
      model: its name there.
      source: the table.
      mean: J&F, in percent.
      region: J, in percent; None where the table lacks it.
      boundary: F, in percent; likewise.
      fps: frames a second; likewise.
      memory: of the GPU, in GB; likewise.
      condition: what to know before comparing, in words; empty if nothing.
    """

    model: str
    source: str
    mean: float
    region: float | None = None
    boundary: float | None = None
    fps: float | None = None
    memory: float | None = None
    condition: str = ""


_LVOS_CONDITION = "The paper scored LVOS v1 with frames shrunk to a shorter edge of 480 pixels."

# J&F, J, F, frames a second, GB.
_Numbers = tuple[float | None, ...]
_TABLES: dict[str, tuple[str, dict[str, _Numbers]]] = {
    "davis2017": (
        "Table 4",
        {
            "MAVOS": (84.4, 81.5, 87.2, 39.2),
            "R50-MAVOS": (85.6, 82.6, 88.5, 37.6),
            "SwinB-MAVOS": (86.4, 83.2, 89.6, 21.8),
            "DeAOT-L": (84.5, 81.6, 87.4, 29.3),
            "AOT-L": (83.8, 81.1, 86.4, 20.3),
        },
    ),
    "lvos1": (
        "Table 2",
        {
            "MAVOS": (60.9, 54.6, 67.1, 38.2, 3.3),
            "R50-MAVOS": (63.3, 57.6, 69.0, 37.1),
            "SwinB-MAVOS": (64.8, 58.7, 70.9, 22.3),
            "DeAOT-L": (61.1, 55.2, 67.1, 5.0, 24.6),
            "AOT-L": (60.3, 54.6, 66.0, 2.1),
        },
    ),
    "long_time_video": (
        "Table 3",
        {
            "MAVOS": (87.4, 85.7, 89.0, 38.9, 4.9),
            "R50-MAVOS": (87.5, 86.1, 88.9, 38.2),
            "SwinB-MAVOS": (90.3, 87.7, 92.9, 22.0),
            "DeAOT-L": (87.9, 86.0, 89.8, 4.1, 38.6),
        },
    ),
}
_ABLATIONS: dict[str, dict[str, _Numbers]] = {
    "davis2017": {"DeAOT-L-2F": (82.5,), "DeAOT-L-6F": (84.5,)},
    "lvos1": {
        "DeAOT-L-2F": (57.2, None, None, 39.1, 3.3),
        "DeAOT-L-6F": (59.6, None, None, 26.3, 3.7),
    },
    "long_time_video": {"DeAOT-L-2F": (81.2,), "DeAOT-L-6F": (86.0,)},
}


def find_paper_row(network: str, dataset: str, split: str) -> PaperRow | None:
    """Finds what the paper reports.

    Args:
      network: a model's name, whatever its case and punctuation, or that of a
        configuration that trains it to the end: "r50_mavos", "mavos_main".
      dataset: see :class:`mavos_jax.datasets.dataset.Benchmark`.
      split: likewise; the paper has the validation sets alone.
    """
    if dataset not in _TABLES or split not in ("val", "valid"):
        return None
    source, models = _TABLES[dataset]
    found = None
    for table, rows in ((source, models), ("Table 5", _ABLATIONS[dataset])):
        for model, numbers in rows.items():
            condition = _LVOS_CONDITION if dataset == "lvos1" else ""
            if re.sub(r" (main|released)$", "", _words(network)) == _words(model):
                mean, *rest = numbers
                padded = (*rest, None, None, None, None)[:4]
                found = PaperRow(model, table, mean or 0.0, *padded, condition=condition)
    return found


def _words(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", " ", name.lower()).strip()
