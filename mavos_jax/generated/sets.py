"""The generated sets, and the held-out list, made and checked by ``tools/select_held_out.py``."""

import dataclasses
import importlib.resources
import json
from typing import Any

import numpy as np

from mavos_jax.config.data import SourceConfig
from mavos_jax.generated.recipe import EVENTFUL, VARIED, Recipe
from mavos_jax.generated.video import GENERATOR_VERSION, SyntheticVideo
from mavos_jax.media.samples import Sample
from mavos_jax.runtime.files import short_hash

TRAINING_SEEDS = range(1, 2**29)  # seed 0 is the demonstration's
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


_NUM_FRAMES = 30
_MAX_OBJECTS = 4
_TRAINING_RECIPES = {"train": VARIED, "eventful": EVENTFUL}


@dataclasses.dataclass(frozen=True)
class GeneratedVideo:
    """A generated video under a name for messages."""

    name: str
    video: SyntheticVideo

    def __len__(self) -> int:
        return len(self.video)

    def __getitem__(self, index: int) -> Sample:
        return self.video[index]

    def mask(self, index: int) -> np.ndarray:
        """Draws only the mask."""
        return self.video.mask(index)


@dataclasses.dataclass(eq=False)
class GeneratedSet:
    """Videos of 30 frames with 1 to 4 objects, from the first of ``TRAINING_SEEDS``."""

    num_videos: int
    size: tuple[int, int]  # height and width of the frames, in pixels
    max_gap: int
    recipe: Recipe = VARIED  # how often what happens in them
    name: str = "synthetic train"
    is_static: bool = False
    num_left_out: int = 0

    def __post_init__(self) -> None:
        if self.num_videos > len(TRAINING_SEEDS):
            raise ValueError(
                f"num_videos of a generated set: expected at most {len(TRAINING_SEEDS)}, the seeds "
                f"of training, found {self.num_videos}"
            )

    def __len__(self) -> int:
        return self.num_videos

    def __getitem__(self, index: int) -> GeneratedVideo:
        seed = TRAINING_SEEDS[: self.num_videos][index]
        video = SyntheticVideo(seed, _NUM_FRAMES, *self.size, 1 + seed % _MAX_OBJECTS, self.recipe)
        return GeneratedVideo(f"{self.name}: seed {seed}", video)

    def fingerprint(self) -> str:
        """A short hash of the generator's version, the recipe and the number of videos."""
        return _hash(f"{self.num_videos} of {self[0].video!r}")


@dataclasses.dataclass(eq=False)
class HeldOutSet:
    """The videos that training never sees."""

    videos: tuple[GeneratedVideo, ...]
    max_gap: int
    name: str = "synthetic held_out"
    is_static: bool = False
    num_left_out: int = 0

    def __len__(self) -> int:
        return len(self.videos)

    def __getitem__(self, index: int) -> GeneratedVideo:
        return self.videos[index]

    def fingerprint(self) -> str:
        """A short hash of the generator's version and the videos' recipes."""
        return _hash(repr(self.videos))


def open_generated(config: SourceConfig, size: tuple[int, int]) -> GeneratedSet | HeldOutSet:
    """Opens a split of the generated set, drawn at the given height and width, in pixels."""
    if config.format != "files":
        raise ValueError(
            f"format of a generated set: expected files, found {config.format!r}: it is drawn, not "
            "read"
        )
    if recipe := _TRAINING_RECIPES.get(config.split):
        name = f"synthetic {config.split}"
        return GeneratedSet(config.num_videos, size, config.max_gap, recipe, name)
    if config.split == "held_out":
        named = (GeneratedVideo(f"synthetic held_out: seed {x.seed}", x) for x in held_out_videos())
        return HeldOutSet(tuple(named), config.max_gap)
    raise ValueError(
        f"split of a generated set: expected train, eventful or held_out, found {config.split!r}"
    )


def _hash(text: str) -> str:
    return short_hash([f"version {GENERATOR_VERSION}: {text}"])
