"""The generated set: videos drawn from seeds, and the committed list that training never sees."""

from __future__ import annotations

import dataclasses

import numpy as np

from mavos_jax.config.data import SourceConfig
from mavos_jax.generated.held_out import TRAINING_SEEDS, held_out_videos
from mavos_jax.generated.recipe import EVENTFUL, VARIED, Recipe
from mavos_jax.generated.video import GENERATOR_VERSION, SyntheticVideo
from mavos_jax.media.samples import Sample
from mavos_jax.runtime.files import short_hash

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
        """Draws the mask alone."""
        return self.video.mask(index)


@dataclasses.dataclass(eq=False)
class GeneratedSet:
    """Videos of 30 frames with 1 to 4 objects, from the first of ``TRAINING_SEEDS``.

    Attributes:
      num_videos: how many.
      size: height and width of the frames, in pixels.
      recipe: how often what happens in them.
    """

    num_videos: int
    size: tuple[int, int]
    max_gap: int
    recipe: Recipe = VARIED
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
        objects = 1 + seed % _MAX_OBJECTS
        video = SyntheticVideo(seed, _NUM_FRAMES, *self.size, objects, self.recipe)
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
        named = (
            GeneratedVideo(f"synthetic held_out: seed {video.seed}", video)
            for video in held_out_videos()
        )
        return HeldOutSet(tuple(named), config.max_gap)
    raise ValueError(
        f"split of a generated set: expected train, eventful or held_out, found {config.split!r}"
    )


def _hash(text: str) -> str:
    return short_hash([f"version {GENERATOR_VERSION}: {text}"])
