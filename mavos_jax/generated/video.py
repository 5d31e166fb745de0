"""Generated clips, in which everything follows from the seed and each frame from its index."""

import dataclasses
import functools
from collections.abc import Iterator
from fractions import Fraction

import numpy as np
from numpy.random import Generator
from PIL import Image

from mavos_jax.config.checks import require
from mavos_jax.generated.cast import Cast, grid_shape
from mavos_jax.generated.motion import Affine, random_camera
from mavos_jax.generated.recipe import VARIED, Recipe
from mavos_jax.generated.scene import Light, Scene, draw, draw_mask
from mavos_jax.generated.surface import background_surface, random_ground
from mavos_jax.media.pictures import Size
from mavos_jax.media.samples import Sample

# To be raised when a seed draws something else; then the held-out list is written again.
GENERATOR_VERSION = 1
_MIN_CELL = 6
_MAX_BACKGROUND = 400


@dataclasses.dataclass(frozen=True)
class SyntheticVideo:
    """A generated video, drawn on demand; its first frame shows all objects, at any length."""

    seed: int  # what the scene and its motion are drawn from
    num_frames: int
    height: int  # in pixels
    width: int  # in pixels
    num_objects: int = 3  # at most 254; their ids are 1 to it
    recipe: Recipe = VARIED  # how often what happens in it

    def __post_init__(self) -> None:
        require(self.seed >= 0, "seed", "an integer of at least 0", self.seed)
        require(self.num_frames >= 1, "num_frames", "at least 1", self.num_frames)
        require(1 <= self.num_objects <= 254, "num_objects", "1 to 254", self.num_objects)
        rows, columns = grid_shape(self.num_objects, (self.height, self.width))
        is_large = min(self.height // rows, self.width // columns) >= _MIN_CELL
        size = f"{rows * _MIN_CELL} x {columns * _MIN_CELL}"
        expected = f"at least {size} for {self.num_objects} objects"
        require(is_large, "height, width", expected, self._size)

    def frame(self, index: int) -> np.ndarray:
        """Draws frame ``index``, uint8 RGB [H, W, 3]."""
        return self[index].frame

    def mask(self, index: int) -> np.ndarray:
        """Draws the mask of frame ``index``, uint8 ids [H, W]."""
        return draw_mask(self.scene, range(self.num_frames)[index], self._size, self._labels)

    def __len__(self) -> int:
        return self.num_frames

    def __getitem__(self, index: int) -> Sample:
        index = range(self.num_frames)[index]
        return Sample(*draw(self.scene, index, self._size, self._labels, self.seed))

    @property
    def frames(self) -> "GeneratedFrames":
        """Only the frames, as a :class:`~mavos_jax.media.frames.FrameSource`."""
        origin = f"the generated clip of seed {self.seed}"
        return GeneratedFrames(self, origin, self._size, self.num_frames)

    @functools.cached_property
    def scene(self) -> Scene:
        """What the video shows."""
        rng = np.random.default_rng(self.seed)
        return _random_scene(rng, self.recipe, self._size, self.num_objects)

    @property
    def _size(self) -> Size:
        return self.height, self.width

    @functools.cached_property
    def _labels(self) -> tuple[int, ...]:
        count = self.num_objects
        return (*range(1, count + 1), *[0] * (len(self.scene.bodies) - count))


@dataclasses.dataclass(frozen=True)
class GeneratedFrames:
    """The frames of a :class:`SyntheticVideo`, as a frame source."""

    video: SyntheticVideo
    origin: str  # words for messages
    size: Size  # height and width, in pixels
    num_frames: int
    frame_rate = Fraction(24)  # at which the motion looks natural

    def name(self, index: int) -> str:
        """The index, padded to five digits."""
        return f"{index:05d}"

    def __iter__(self) -> Iterator[np.ndarray]:
        return map(self.video.frame, range(self.num_frames))


def _random_scene(rng: Generator, recipe: Recipe, size: Size, num_objects: int) -> Scene:
    camera = random_camera(rng, recipe, size)
    ground = random_ground(rng)
    margin = camera.margin() + 2.0
    # A little coarser than pixels where the view is wide: drawing it is the dearest part.
    texels = max(32, min(round(1.6 * margin), round(2.2 * max(size)), _MAX_BACKGROUND))
    scale = texels / (2 * margin)
    x, y = (0.5 * (texels - scale * length) for length in (size[1], size[0]))
    cast = Cast(rng, recipe, size, ground)
    actors = cast.actors(num_objects)
    hiders = cast.hiders(actors[:num_objects])
    return Scene(
        background_surface(rng, ground, texels),
        Affine(scale, 0.0, x, 0.0, scale, y),
        camera,
        _random_light(rng, recipe, size),
        (*actors, *hiders),
        (*rng.permutation(len(actors)).tolist(), *range(len(actors), len(actors) + len(hiders))),
    )


def _random_light(rng: Generator, recipe: Recipe, size: Size) -> Light:
    changes = float(rng.random() < recipe.lighting)
    falloff = None
    if rng.random() < 0.3:
        corners = rng.uniform(110, 255, (3, 3)).astype(np.uint8)
        grey = Image.fromarray(corners).resize((size[1], size[0]), Image.Resampling.BICUBIC)
        falloff = Image.merge("RGB", (grey, grey, grey))
    kernel = None
    if rng.random() < recipe.blur:
        weights = np.outer((1, 2, 1), (1, 2, 1)) * rng.random((3, 3)) + 1e-3
        weights += weights[::-1, ::-1]  # Symmetric: blur must not move the edges.
        kernel = tuple((weights / weights.sum()).ravel().tolist())
    return Light(
        rng.uniform(0.85, 1.15) * rng.uniform(0.93, 1.07, 3),
        changes * (rng.uniform(0, 0.3) + rng.uniform(-0.08, 0.08, 3)),
        float(2 * np.pi / rng.uniform(8, 120)),
        falloff,
        kernel,
        float(2 * np.pi / rng.uniform(10, 60)),
        float(rng.uniform(*recipe.noise)),
    )
