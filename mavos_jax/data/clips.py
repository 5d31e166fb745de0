"""Training clips, chosen as in the paper (4.1) and the released code, augmented and merged."""

import dataclasses
import math
from typing import NamedTuple

import numpy as np
from numpy.random import Generator

from mavos_jax.config import IGNORED, MAX_OBJECTS
from mavos_jax.config.data import DataConfig
from mavos_jax.data.augment import LEAST_OBJECT, Clip, Crops, augment, happens
from mavos_jax.datasets import DamagedSample
from mavos_jax.media.ids import choose_ids, count_pixels, pixel_threshold, repack
from mavos_jax.media.pictures import describe_size
from mavos_jax.media.samples import AnnotatedVideo, VideoSet

_REFERENCE_TRIES = 20
_CLIP_TRIES = 6

# Of what is pasted.
_MIRRORED, _REVERSED, _BEHIND = 0.6, 0.3, 0.5
_KNOWN = ((1, 1), (0, 1), (1, 0), (1, 0))  # whether a clip's objects, and their twins, keep ids
_TURN, _THINNEST = 0.6, 0.15  # radians a frame at most; the narrowest width as a share
_OPACITY, _LIGHT, _CONTRAST = (0.35, 0.9), (0.3, 1.0), (0.25, 0.8)


def draw_clip(
    video: AnnotatedVideo, num_frames: int, max_gap: int, least_foreground: float, rng: Generator
) -> Clip:
    """Chooses ``num_frames`` frames of a clip, and reads each of them once.

    Neighbours are at most ``max_gap`` frames apart, and the reference's foreground has more than
    ``least_foreground`` pixels if twenty draws find such a frame. Later frames may show objects
    that the reference lacks if six draws cannot avoid them; :func:`~mavos_jax.media.ids.repack`
    drops those. Raises DamagedSample if frames differ in size, or one cannot be read.
    """
    indices = draw_indices(video, num_frames, max_gap, least_foreground, rng)
    read = {index: video[index] for index in dict.fromkeys(indices)}
    shapes = {sample.frame.shape[:2]: index for index, sample in read.items()}
    if len(shapes) > 1:
        found = " and ".join(f"{describe_size(size)} in frame {i}" for size, i in shapes.items())
        raise DamagedSample(f"{video.name}: expected frames of one size, found {found}")
    return Clip(tuple(read[index] for index in indices), is_static=False)


def draw_indices(
    video: AnnotatedVideo, num_frames: int, max_gap: int, least_foreground: float, rng: Generator
) -> list[int]:
    """Chooses the frames of a clip by their masks only; see :func:`draw_clip`."""
    counts: dict[int, np.ndarray] = {}

    def count(index: int) -> np.ndarray:
        if index not in counts:
            counts[index] = count_pixels(video.mask(index))
        return counts[index]

    indices: list[int] = []
    for _ in range(_CLIP_TRIES):
        is_reversed = rng.random() < 0.5
        reference = 0
        for _ in range(_REFERENCE_TRIES):
            reference = int(rng.integers(len(video)))
            if count(reference).sum() > least_foreground:
                break
        gaps = rng.integers(1, max_gap + 1, num_frames - 1)
        indices = walk(reference, gaps, len(video), is_reversed=is_reversed)
        absent = count(reference) == 0
        if not any(count(index)[absent].any() for index in indices[1:]):
            break
    return indices


def walk(reference: int, gaps: np.ndarray, length: int, *, is_reversed: bool) -> list[int]:
    """The frames that steps of ``gaps`` reach from ``reference``, reflected at both ends."""
    last = length - 1
    if last == 0:
        return [0] * (len(gaps) + 1)
    # A reflected walk is a straight one along 0, 1, ..., last, ..., 1, 0, 1, ...; walking back from
    # `reference` is walking on from its second place there.
    start = 2 * last - reference if is_reversed else reference
    places = start + np.concatenate(([0], np.cumsum(gaps)))
    return [int(index) for index in last - np.abs(places % (2 * last) - last)]


LEAST_FOREGROUND = 200  # pixels of foreground that a reference should exceed, in crops of 465 x 465
_TRIES = 20


class VideoKey(NamedTuple):
    """A video: the number of its set, and its number in that set."""

    set: int
    video: int


class Drawn(NamedTuple):
    """A clip with at least one object, and a line for each damaged sample that was replaced."""

    crops: Crops
    damaged: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class ClipRecipe:
    """How a clip is made from several sets, whose ``shares`` add up to 1; it can be pickled."""

    data: DataConfig
    sets: tuple[VideoSet, ...]
    shares: tuple[float, ...]

    def draw(self, key: VideoKey, rng: Generator) -> Drawn:
        """Draws a clip that starts from the video ``key``.

        Another video of the same set takes its place if the clip has no object, or, with
        ``skip_damaged``, if a file cannot be read. Raises ValueError if twenty gave no clip.
        """
        # Each try has its own generator, however many numbers an earlier one drew before it failed.
        seed, damaged = int(rng.integers(2**63)), []
        for attempt in range(_TRIES):
            rng = np.random.default_rng((seed, attempt))
            if attempt:
                key = VideoKey(key.set, int(rng.integers(len(self.sets[key.set]))))
            try:
                crops = self._merged(key, rng)
            except DamagedSample as error:
                if not self.data.skip_damaged:
                    words = f"{error}, or leave such samples out with --data.skip_damaged True"
                    raise DamagedSample(words) from error
                damaged.append(str(error))
            else:
                if crops.num_objects:
                    return Drawn(crops, tuple(damaged))
        raise ValueError(self._explain(key, damaged))

    def _merged(self, key: VideoKey, rng: Generator) -> Crops:
        data, is_static = self.data, self.sets[key.set].is_static
        crops = self._augmented(key, rng)
        if not is_static and crops.num_objects and happens(data.twins, rng):
            crops = add_twins(crops, data, rng)
        if rng.random() < (1.0 if is_static else data.merge) or not crops.num_objects:
            number = int(rng.choice(len(self.sets), p=self.shares))
            other = VideoKey(number, int(rng.integers(len(self.sets[number]))))
            pasted = self._augmented(other, rng)
            if happens(data.turn, rng):
                pasted = turn(pasted, rng)
            crops = paste_over(crops, pasted, data, rng)
        return haze(crops, rng) if happens(data.haze, rng) else crops

    def _augmented(self, key: VideoKey, rng: Generator) -> Crops:
        videos, data = self.sets[key.set], self.data
        video = videos[key.video]
        if videos.is_static:
            return augment(Clip((video[0],) * data.clip_frames, is_static=True), data, rng)
        least = pixel_threshold(LEAST_FOREGROUND, data.crop)
        return augment(draw_clip(video, data.clip_frames, videos.max_gap, least, rng), data, rng)

    def _explain(self, key: VideoKey, damaged: list[str]) -> str:
        name = self.sets[key.set].name
        if damaged:
            return (
                f"{name}: expected samples that can be read, found {len(damaged)} damaged in "
                f"{_TRIES} clips, the last one: {damaged[-1]}"
            )
        return (
            f"{name}: expected clips with an object, found none in {_TRIES}; look at its masks, or "
            f"give crops larger than data.crop = {self.data.crop}"
        )


def paste_over(clip: Crops, pasted: Crops, data: DataConfig, rng: Generator) -> Crops:
    """Pastes the objects of a second clip over a first, frame by frame; their ids come last."""
    is_pasted = (pasted.masks > 0) & (pasted.masks != IGNORED)
    frames, _ = _lay(is_pasted, pasted.frames, clip.frames, data, rng)
    # uint8 is wide enough: both have ids of at most ten
    masks = np.where(is_pasted, pasted.masks + np.uint8(MAX_OBJECTS), clip.masks)
    return _repacked(frames, masks, data, rng)


def add_twins(clip: Crops, data: DataConfig, rng: Generator) -> Crops:
    """Pastes a copy of a clip's objects, moved and perhaps turning, mirrored or reversed in time.

    It lies over the objects or behind them. Only one of the two may keep its ids: look-alikes that
    count as background are what a network must tell from its object.
    """
    size = clip.masks.shape[-1]
    frames, masks, _ = turn(clip, rng) if happens(data.turn, rng) else clip
    if rng.random() < _MIRRORED:
        frames, masks = frames[:, :, ::-1], masks[:, :, ::-1]
    if rng.random() < _REVERSED:
        frames, masks = frames[::-1], masks[::-1]
    down, right = (int(rng.integers(-size // 2, size // 2 + 1)) for _ in range(2))
    frames, masks = (np.roll(x, (down, right), (1, 2)) for x in (frames, masks))
    rows, columns = np.arange(size) - down, np.arange(size) - right
    is_inside = ((rows >= 0) & (rows < size))[:, None] & ((columns >= 0) & (columns < size))
    is_pasted = (masks > 0) & (masks != IGNORED) & is_inside
    if rng.random() < _BEHIND:
        is_pasted &= clip.masks == 0
    own, copied = rng.choice(np.array(_KNOWN, np.uint8))
    kept = np.where(clip.masks == IGNORED, clip.masks, own * clip.masks)
    frames, is_faint = _lay(is_pasted, frames, clip.frames, data, rng)
    if copied or not is_faint:
        kept = np.where(is_pasted, copied * (masks + np.uint8(MAX_OBJECTS)), kept)
    found = _repacked(frames, kept, data, rng)
    return found if found.num_objects else clip


def turn(clip: Crops, rng: Generator) -> Crops:
    """Scales columns about the objects' centre, as those of flat things that turn upright."""
    count, size = clip.masks.shape[:2]
    angles = rng.uniform(0, 2 * np.pi) + rng.uniform(-_TURN, _TURN) * np.arange(count)
    frames, masks, centre = np.empty_like(clip.frames), np.empty_like(clip.masks), size / 2
    for index, cos in enumerate(np.cos(angles)):
        ids = clip.masks[index]
        shown = np.flatnonzero(((ids > 0) & (ids != IGNORED)).any(0))
        centre = (shown[0] + shown[-1]) / 2 if len(shown) else centre
        width = math.copysign(max(abs(cos), _THINNEST), cos)
        columns = np.round(centre + (np.arange(size) - centre) / width).astype(int)
        is_inside = (columns >= 0) & (columns < size)
        columns = np.clip(columns, 0, size - 1)
        frames[index] = clip.frames[index][:, columns]
        masks[index] = np.where(is_inside, ids[:, columns], 0)
    return Crops(frames, masks, clip.num_objects)


def haze(clip: Crops, rng: Generator) -> Crops:
    """Squeezes the range of a clip's colours, as dim light and haze do."""
    share = np.float32(rng.uniform(*_CONTRAST))
    floor = np.float32(rng.uniform(0.0, 1.0) ** 2 * (1 - share) * 255)
    return clip._replace(frames=(clip.frames * share + floor).astype(np.uint8))


def _lay(
    is_pasted: np.ndarray, above: np.ndarray, below: np.ndarray, data: DataConfig, rng: Generator
) -> tuple[np.ndarray, bool]:
    """Lays pixels of frames over others, perhaps dimmed and so faint that those show more."""
    is_faint = False
    if happens(data.glass, rng):
        opacity, light = np.float32(rng.uniform(*_OPACITY)), np.float32(rng.uniform(*_LIGHT))
        above = (opacity * light * above + (1 - opacity) * below).astype(np.uint8)
        is_faint = bool(opacity * light < 1 - opacity)
    return np.where(is_pasted[..., None], above, below), is_faint


def _repacked(frames: np.ndarray, masks: np.ndarray, data: DataConfig, rng: Generator) -> Crops:
    counts = count_pixels(masks[0])
    # Small objects, and all but a random ``max_objects``, become background.
    is_large = counts >= pixel_threshold(LEAST_OBJECT, masks.shape[-1])
    ids = choose_ids(counts, is_large, data.max_objects, rng)
    return Crops(frames, repack(masks, ids), len(ids))
