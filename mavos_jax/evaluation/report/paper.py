"""The numbers of the MAVOS paper that results are shown beside.

Source: Shaker et al., Efficient Video Object Segmentation via Modulated Cross-Attention Memory,
Tables 2 to 5 and Figure 1; speed on one V100 GPU by the protocol of AOT.
"""

from __future__ import annotations

import re

from mavos_jax.datasets.dataset import Published
from mavos_jax.datasets.table import DATA_SETS


def find_paper_row(network: str, dataset: str, split: str) -> Published | None:
    """Finds what the paper reports.

    Args:
      network: a model's name, whatever its case and punctuation, or that of a
        configuration that trains it to the end: "r50_mavos", "mavos_main".
      dataset: see :class:`mavos_jax.datasets.dataset.Benchmark`.
      split: likewise; the paper has only the validation sets.
    """
    if dataset not in DATA_SETS or split not in ("val", "valid"):
        return None
    wanted = re.sub(r" (main|released)$", "", _words(network))
    rows = DATA_SETS[dataset].published
    return next((row for row in rows if _words(row.model) == wanted), None)


def _words(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", " ", name.lower()).strip()
