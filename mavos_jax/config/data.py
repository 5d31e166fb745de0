"""The data of training: which sets, how clips are drawn from them, how they are loaded."""

import dataclasses
from typing import Literal

from mavos_jax.config.checks import Check
from mavos_jax.config.network import MAX_OBJECTS


@dataclasses.dataclass(frozen=True)
class SourceConfig:
    """One data set and its share of the clips.

    Attributes:
      kind: its layout, such as ``davis2017`` (``docs/data.md`` lists all); ``folder`` is any
        ``JPEGImages`` beside ``Annotations``, ``synthetic`` is generated and needs no files.
      root: folder of the set, as its authors lay it out, or of its prepared records.
      split: part of the set. ``synthetic`` has ``train``, endless varied videos; ``eventful``, in
        which objects move fast, hide one another, leave and return; and ``held_out``, a fixed list
        of eventful videos that training never sees.
      format: ``files`` as the authors lay them out, or ``records`` written by ``python -m
        mavos_jax.commands.prepare``.
      max_gap: largest gap between neighbouring frames of a clip, in frames of the set.
      repeats: weight of the set among several: its share is its number of videos times this.
      num_videos: videos of one pass over ``synthetic``.
    """

    kind: str = "synthetic"
    root: str = ""
    split: str = "train"
    format: Literal["files", "records"] = "files"
    max_gap: int = 3
    repeats: float = 1.0
    num_videos: int = 10_000

    def check(self, path: str) -> None:
        """Raises ValueError for a wrong field; ``path`` is that of the source, for the message."""
        check = Check(path, self)
        check.positive("max_gap", "num_videos")
        check.above_zero("repeats", expected="more than 0")
        is_found = self.kind == "synthetic" or bool(self.root)
        check.that(is_found, "root", f"the folder of the {self.kind} set")


@dataclasses.dataclass(frozen=True)
class DataConfig:
    """How clips are drawn and loaded.

    Attributes:
      sources: the sets that are mixed.
      held_out: the set that periodic evaluation segments from its first masks.
      clip_frames: frames T of a clip, the reference included.
      crop: side of the square crops, in pixels: 16 n + 1 with ``align_corners``, else 16 n.
      short_edge: short edge of a frame before the random scale, in pixels; 0 keeps the stored
        size.
      aspect: width of a generated frame in units of its height, if there is a ``short_edge``; a
        crop of the same height sees all of a square one.
      scale: range of the random scale.
      merge: probability that a second clip is pasted over the first.
      twins: probability that a clip of a video gets a moved copy of its objects, over or behind
        them, in half of the cases as background; like the next three, an addition to the
        released recipe.
      turn: probability that pasted objects turn about an upright axis, as flat things do.
      glass: probability that pasted objects are dimmed and half transparent.
      haze: probability that the range of a clip's colours is squeezed.
      max_objects: most objects in a clip, 1 to 10; of more, a random choice is kept. Time and
        memory of the losses grow with it.
      colour: probability that a frame's colours are jittered: brightness 0.4, contrast 0.4,
        saturation 0.2, hue 0.1.
      clip_colour: probability that the colours of all frames of a clip are jittered alike, an
        addition to the released recipe.
      grey: probability that a frame loses its colours.
      blur: probability of a Gaussian blur of deviation 0.1 to 2 pixels.
      flip: probability of a horizontal flip.
      workers: processes that decode and augment and hand clips over in ``/dev/shm`` (its size is
        in ``docs/data.md``); 0 uses threads of this process.
      threads: threads that decode and augment in each process.
      prefetch: decoded batches that wait in each process.
      skip_damaged: replace a clip whose file cannot be read, and count and log it.
    """

    sources: tuple[SourceConfig, ...] = (SourceConfig(),)
    held_out: SourceConfig = SourceConfig(split="held_out")
    clip_frames: int = 8
    crop: int = 465
    short_edge: int = 480
    aspect: float = 854 / 480
    scale: tuple[float, float] = (0.7, 1.3)
    merge: float = 0.3
    twins: float = 0.0
    turn: float = 0.0
    glass: float = 0.0
    haze: float = 0.0
    max_objects: int = MAX_OBJECTS
    colour: float = 0.8
    clip_colour: float = 0.0
    grey: float = 0.2
    blur: float = 0.3
    flip: float = 0.5
    workers: int = 8
    threads: int = 2
    prefetch: int = 2
    skip_damaged: bool = False

    def __post_init__(self) -> None:
        check = Check("data", self)
        check.that(bool(self.sources), "sources", "at least one set")
        for index, source in enumerate(self.sources):
            source.check(f"data.sources.{index}")
        self.held_out.check("data.held_out")
        check.that(self.clip_frames >= 3, "clip_frames", "at least 3 frames")
        is_size = self.crop >= 32 and self.crop % 16 in (0, 1)
        check.that(is_size, "crop", "16 n or 16 n + 1 pixels, at least 32")
        check.that(1 <= self.max_objects <= MAX_OBJECTS, "max_objects", f"1 to {MAX_OBJECTS}")
        check.not_negative("short_edge", expected="0 or more pixels")
        check.not_negative("workers", expected="0 or more processes")
        check.that(self.aspect >= 1, "aspect", "1 or more")
        check.that(0 < self.scale[0] <= self.scale[1], "scale", "an ascending range above 0")
        check.shares("merge", "twins", "turn", "glass", "haze")
        check.shares("colour", "clip_colour", "grey", "blur", "flip")
        check.positive("threads", "prefetch")
