"""The held-out set: generated clips for evaluation that no training ever draws.

Every clip has a labelled object that is hidden or away for some frames and then returns, and a
look-alike of a labelled object beside it. ``held_out.json`` lists the clips;
``tools/select_held_out.py`` makes and checks the list.
"""

from __future__ import annotations

import importlib.resources
import json
from typing import Any

from mavos_jax.generated.recipe import EVENTFUL
from mavos_jax.generated.video import SyntheticVideo

TRAINING_SEEDS = range(1, 2**29)
"""What training draws its seeds from; seed 0 is the demonstration's."""
HELD_OUT_SEEDS = range(10**9, 10**9 + 100_000)


def held_out_videos() -> tuple[SyntheticVideo, ...]:
    """Returns the clips of the list."""
    return tuple(held_out_video(clip["seed"], clip["num_objects"]) for clip in manifest()["clips"])


def held_out_video(seed: int, num_objects: int) -> SyntheticVideo:
    """Returns a clip as those of the list are."""
    return SyntheticVideo(seed, 24, 192, 192, num_objects, EVENTFUL)


def manifest() -> dict[str, Any]:
    """Returns the list: seeds, what happens in the clips, and checksums of their pixels."""
    file = importlib.resources.files("mavos_jax.generated").joinpath("held_out.json")
    return json.loads(file.read_text(encoding="utf-8"))
