"""Small trees in the layout of every data set that can be evaluated, with generated videos."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import numpy as np
from datasets.tree_videos import (
    DAVIS_VIDEOS,
    LATE_VIDEOS,
    LISTED_STEP,
    LONG_LABELLED,
    LONG_VIDEOS,
    LVOS_VIDEOS,
    TreeVideo,
)
from PIL import Image

from mavos_jax.datasets import BenchmarkOptions, Dataset, Resolution

SPLITS: Mapping[Dataset, str] = {
    "davis2016": "val",
    "davis2017": "val",
    "youtube_vos2018": "valid",
    "youtube_vos2019": "valid",
    "lvos1": "valid",
    "lvos2": "valid",
    "long_time_video": "val",
    "mose": "valid",
    "mosev2": "valid",
    "sav": "val",
    "vost": "val",
    "folder": "val",
}
"""The split that is written by default; truth is public in all but those of YouTube-VOS and MOSE.
Their ``train`` has it."""

_CATEGORIES = ("cat", "dog", "kite")


@dataclasses.dataclass(frozen=True)
class _Tree:
    root: Path
    dataset: Dataset
    split: str
    suffix: str
    resolution: Resolution
    all_frames: bool
    masks_root: Path

    def write_frames(self, folder: Path, frames: Mapping[str, np.ndarray]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for name, pixels in frames.items():
            Image.fromarray(pixels).save(folder / f"{name}{self.suffix}", quality=95)


def write_benchmark_tree(
    root: Path,
    dataset: Dataset,
    *,
    split: str | None = None,
    suffix: str = ".jpg",
    resolution: Resolution = "480p",
    all_frames: bool = False,
    masks_root: Path | None = None,
) -> BenchmarkOptions:
    """Writes the tree of a data set below ``root``; the options that open it.

    Args:
      root: made if needed.
      dataset: whose layout.
      split: see ``SPLITS``; others are train and, of DAVIS, test-dev, of LVOS, test.
      suffix: of frames, ``.jpg`` or ``.png``.
      resolution: of DAVIS. Frames are small at any; for ``full_to_480p`` the masks of the 480p
        folder are as high as that says.
      all_frames: of YouTube-VOS, whether the package of all frames is there.
      masks_root: of DAVIS, where to write the masks if not below ``root``.
    """
    split = split or SPLITS[dataset]
    tree = _Tree(root, dataset, split, suffix, resolution, all_frames, masks_root or root)
    _WRITERS[dataset](tree)
    return BenchmarkOptions(
        dataset=dataset,
        split=split,
        root=root,
        masks_root=masks_root,
        resolution=resolution,
        all_frames=all_frames,
    )


def write_mask(path: Path, ids: np.ndarray) -> None:
    """Writes an indexed PNG with the PASCAL VOC palette."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(ids)
    image.putpalette(_voc_palette())
    image.save(path)


def _voc_palette() -> bytes:
    colours = np.zeros((256, 3), np.uint8)
    for bit in range(24):
        colours[:, bit % 3] |= np.uint8(1 << (7 - bit // 3)) * (np.arange(256) >> bit & 1).astype(
            np.uint8
        )
    return colours.tobytes()


def _draw(
    video: TreeVideo, names: Iterable[str]
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Draws the labelled frames and their true masks, by name."""
    frames, masks = {}, {}
    for index, name in enumerate(names):
        frames[name], mask = video.draw(index)
        masks[name] = video.visible(mask, index)
        _require_visible(video, masks[name], index)
    return frames, masks


def _require_visible(video: TreeVideo, mask: np.ndarray, index: int) -> None:
    """The seeds are chosen so that objects are in view where they appear."""
    assert set(video.ids_starting_at(index)) <= set(np.unique(mask).tolist()), video


def _write_davis(tree: _Tree) -> None:
    year = tree.dataset[-4:]
    full = "Full-Resolution" if year == "2017" else "1080p"
    folder = "480p" if tree.resolution == "480p" else full
    lines = []
    for video in DAVIS_VIDEOS:
        names = [f"{index:05d}" for index in range(video.num_frames)]
        frames, masks = _draw(video, names)
        images = f"JPEGImages/{folder}/{video.name}"
        tree.write_frames(tree.root / images, frames)
        for name, ids in masks.items():
            ids = np.uint8(255) * (ids > 0) if year == "2016" else ids
            path = f"{video.name}/{name}.png"
            if tree.split != "test-dev" or name == names[0]:
                write_mask(tree.masks_root / "Annotations" / folder / path, ids)
            if tree.split != "test-dev" and tree.resolution == "full_to_480p":
                write_mask(tree.masks_root / "Annotations" / "480p" / path, _at_height(ids, 480))
            lines.append(f"/{images}/{name}.jpg /Annotations/{folder}/{path}")
    lists = tree.root / "ImageSets" / (year if year == "2017" else folder)
    lists.mkdir(parents=True, exist_ok=True)
    if year == "2017":
        lines = [video.name for video in reversed(DAVIS_VIDEOS)]
    (lists / f"{tree.split}.txt").write_text("\n".join(lines) + "\n")


def _at_height(ids: np.ndarray, height: int) -> np.ndarray:
    width = -(-ids.shape[1] * height // ids.shape[0])
    return np.asarray(Image.fromarray(ids).resize((width, height), Image.Resampling.NEAREST))


def _write_youtube_vos(tree: _Tree) -> None:
    folder = tree.root / tree.dataset[-4:] / tree.split
    videos = {}
    for video in LATE_VIDEOS:
        listed = [LISTED_STEP * (1 + index) for index in range(video.num_frames)]
        total = listed[-1] + 2
        drawn = [video.draw(index) for index in range(total)]
        frames = {f"{index:05d}": frame for index, (frame, _) in enumerate(drawn)}
        names = [f"{index:05d}" for index in listed]
        # Frames before the first listed one are in the package, too.
        tree.write_frames(
            folder / "JPEGImages" / video.name, {name: frames[name] for name in ["00000", *names]}
        )
        if tree.all_frames:
            all_frames = folder.with_name(f"{tree.split}_all_frames")
            tree.write_frames(all_frames / "JPEGImages" / video.name, frames)
        for index, name in enumerate(names):
            ids = video.visible(drawn[listed[index]][1], index)
            _require_visible(video, ids, index)
            if tree.split == "train" or video.ids_starting_at(index):
                write_mask(folder / "Annotations" / video.name / f"{name}.png", ids)
        videos[video.name] = {
            "objects": {
                str(number): {"category": category, "frames": names[start:]}
                for number, start, category in zip(
                    video.ids, video.starts, _CATEGORIES, strict=False
                )
            }
        }
    (folder / "meta.json").write_text(json.dumps({"videos": videos}))


def _write_lvos(tree: _Tree) -> None:
    folder = tree.root / tree.split
    videos = {}
    for video in LVOS_VIDEOS:
        numbers = [1 + 5 * index for index in range(video.num_frames)]
        frames, masks = _draw(video, [f"{number:08d}" for number in numbers])
        tree.write_frames(folder / "JPEGImages" / video.name, frames)
        # The first object leaves two frames before the end, which its range excludes.
        ends = [numbers[-2]] + [numbers[-1] + 1] * (len(video.ids) - 1)
        for index, (name, ids) in enumerate(masks.items()):
            ids = np.where((ids == video.ids[0]) & (numbers[index] >= ends[0]), 0, ids)
            new = video.ids_starting_at(index)
            if tree.split == "test":
                ids = np.where(np.isin(ids, new), ids, 0)
            if new if tree.split == "test" else index >= min(video.starts):
                path = folder / "Annotations" / video.name / f"{name}.png"
                write_mask(path, ids.astype(np.uint8))
        videos[video.name] = {
            "objects": {
                str(number): {"frame_range": _lvos_range(numbers[start], end)}
                for number, start, end in zip(video.ids, video.starts, ends, strict=True)
            }
        }
    meta = tree.root / f"{tree.split}_meta.json"
    meta.write_text(json.dumps({"videos": videos}))


def _lvos_range(start: int, end: int) -> dict[str, str]:
    frame_nums = len(range(start, end, 5))
    return {"start": f"{start:08d}", "end": f"{end:08d}", "frame_nums": str(frame_nums)}


def _write_long_time_video(tree: _Tree) -> None:
    for video in LONG_VIDEOS:
        # Numbers without padding, which only the natural order sorts.
        names = [str(7 + index) for index in range(video.num_frames)]
        frames, masks = _draw(video, names)
        tree.write_frames(tree.root / "JPEGImages" / video.name, frames)
        for index in LONG_LABELLED:
            path = tree.root / "Annotations" / video.name / f"{names[index]}.png"
            write_mask(path, masks[names[index]])
    (tree.root / "ImageSets").mkdir(parents=True, exist_ok=True)
    names = "\n".join(video.name for video in LONG_VIDEOS)
    (tree.root / "ImageSets" / f"{tree.split}.txt").write_text(names + "\n")


def _write_pairs(
    tree: _Tree, folder: Path, *, first_only: bool, name_frame: Callable = "{:05d}".format
) -> None:
    for video in LATE_VIDEOS:
        names = [name_frame(index) for index in range(video.num_frames)]
        frames, masks = _draw(video, names)
        tree.write_frames(folder / "JPEGImages" / video.name, frames)
        for name in names[:1] if first_only else names:
            write_mask(folder / "Annotations" / video.name / f"{name}.png", masks[name])


def _write_mosev2(tree: _Tree) -> None:
    _write_pairs(tree, tree.root / tree.split, first_only=tree.split != "train")
    videos = {
        video.name: {"length": video.num_frames, "height": None, "objects": [*map(str, video.ids)]}
        for video in LATE_VIDEOS
    }
    (tree.root / f"meta_{tree.split}.json").write_text(json.dumps({"videos": videos}))


def _write_sav(tree: _Tree) -> None:
    folder = tree.root / f"sav_{tree.split}"
    for video in LATE_VIDEOS:
        names = [f"{index:05d}" for index in range(video.num_frames)]
        frames, masks = _draw(video, names)
        tree.write_frames(folder / "JPEGImages_24fps" / video.name, frames)
        for place, number in enumerate(video.ids):
            for name in (names[0], *names[2:]):
                path = folder / "Annotations_6fps" / video.name / f"{place:03d}" / f"{name}.png"
                write_mask(path, np.uint8(255) * (masks[name] == number))
    (folder / f"sav_{tree.split}.txt").write_text("\n".join(v.name for v in LATE_VIDEOS))


def _write_vost(tree: _Tree) -> None:
    _write_pairs(tree, tree.root, first_only=False, name_frame=lambda t: f"frame{20 * t:05d}")
    if tree.all_frames:
        for video in LATE_VIDEOS:
            drawn = [video.draw(index)[0] for index in range(video.num_frames)]
            frames = {f"frame{10 * t:05d}": drawn[t // 2] for t in range(2 * video.num_frames)}
            tree.write_frames(tree.root / "JPEGImages_10fps" / video.name, frames)
    (tree.root / "ImageSets").mkdir(parents=True, exist_ok=True)
    names = "\n".join(video.name for video in LATE_VIDEOS)
    (tree.root / "ImageSets" / f"{tree.split}.txt").write_text(names + "\n")


_WRITERS: dict[Dataset, Callable[[_Tree], None]] = {
    "davis2016": _write_davis,
    "davis2017": _write_davis,
    "youtube_vos2018": _write_youtube_vos,
    "youtube_vos2019": _write_youtube_vos,
    "lvos1": _write_lvos,
    "lvos2": _write_lvos,
    "long_time_video": _write_long_time_video,
    "mose": lambda tree: _write_pairs(
        tree, tree.root / tree.split, first_only=tree.split != "train"
    ),
    "mosev2": _write_mosev2,
    "sav": _write_sav,
    "vost": _write_vost,
    "folder": lambda tree: _write_pairs(tree, tree.root, first_only=False),
}
