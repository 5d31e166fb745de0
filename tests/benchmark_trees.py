"""Small trees in the layout of every data set, with generated videos."""

import dataclasses
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from datasets.tree_videos import DAVIS_VIDEOS, LATE_VIDEOS, LONG_VIDEOS, LVOS_VIDEOS, TreeVideo
from PIL import Image

from mavos_jax.config import SourceConfig
from mavos_jax.datasets import BenchmarkName, BenchmarkOptions
from mavos_jax.media.masks import voc_palette


@dataclasses.dataclass(frozen=True)
class _Tree(BenchmarkOptions):
    suffix: str = ".jpg"  # of frames

    def write_frames(self, folder: Path, frames: Mapping[str, np.ndarray]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for name, pixels in frames.items():
            Image.fromarray(pixels).save(folder / f"{name}{self.suffix}", quality=95)

    def write_pairs(
        self,
        folder: Path,
        videos: Sequence[TreeVideo] = LATE_VIDEOS,
        name_frame: Callable[[int], str] = "{:05d}".format,
        labelled: Collection[int] | None = None,
    ) -> None:
        """Writes videos below ``JPEGImages`` and, of labelled frames, ``Annotations``."""
        for video in videos:
            indices = range(video.num_frames)
            frames = {name_frame(t): video.frame(t) for t in indices}
            self.write_frames(folder / "JPEGImages" / video.name, frames)
            for t in indices if labelled is None else labelled:
                path = folder / "Annotations" / video.name / f"{name_frame(t)}.png"
                write_mask(path, video.mask(t))

    def write_list(self, folder: str, lines: Collection[str]) -> None:
        path = self.root / folder / f"{self.split}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines) + "\n")


def write_benchmark_tree(
    root: Path,
    dataset: BenchmarkName,
    *,
    split: str | None = None,
    suffix: str = ".jpg",
    **others: Any,
) -> BenchmarkOptions:
    """Writes the tree of a data set below ``root``; the options that open it, among them others.

    Splits are that of validation, which hides the truth of YouTube-VOS and MOSE, train and, of
    DAVIS, test-dev, of LVOS, test. Frames are small at any resolution; the masks of the 480p folder
    for ``full_to_480p`` are as high as that says.
    """
    usual = "valid" if dataset.startswith(("youtube_vos", "lvos", "mose")) else "val"
    options = BenchmarkOptions(dataset, split or usual, root, **others)
    _WRITERS[dataset](_Tree(**vars(options), suffix=suffix))
    return options


def write_source(root: Path, kind: str) -> SourceConfig:
    """Writes the tree of a kind that is trained on; the source that opens it."""
    if kind == "static":
        _write_static(root)
        return SourceConfig(kind, str(root))
    dataset = {"youtube_vos": "youtube_vos2019", "lvos": "lvos1"}.get(kind, kind)
    split = "train" if dataset.startswith(("mose", "youtube")) else None
    options = write_benchmark_tree(root, dataset, split=split)  # type: ignore[arg-type]
    return SourceConfig(kind, str(root), options.split)  # type: ignore[arg-type]


def write_videos(folder: Path, lengths: Mapping[str, int]) -> None:
    """Writes videos of two objects below ``JPEGImages`` and ``Annotations``, named anyhow."""
    videos = [LATE_VIDEOS[0]._replace(name=n, num_frames=count) for n, count in lengths.items()]
    _Tree("folder", "val", folder).write_pairs(folder, videos)


def write_mask(path: Path, ids: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(ids)
    image.putpalette(voc_palette().tobytes())
    image.save(path)


def _write_davis(tree: _Tree) -> None:
    year = tree.dataset[-4:]
    full = "Full-Resolution" if year == "2017" else "1080p"
    folder = "480p" if tree.resolution == "480p" else full
    lines = []
    for video in DAVIS_VIDEOS:
        images = f"JPEGImages/{folder}/{video.name}"
        names = [f"{t:05d}" for t in range(video.num_frames)]
        frames = {name: video.frame(t) for t, name in enumerate(names)}
        tree.write_frames(tree.root / images, frames)
        lines += [f"/{images}/{n}.jpg /Annotations/{folder}/{video.name}/{n}.png" for n in names]
        for t, name in enumerate(names[:1] if tree.split == "test-dev" else names):
            ids, masks = video.mask(t), (tree.masks_root or tree.root) / "Annotations"
            ids = np.uint8(255) * (ids > 0) if year == "2016" else ids
            write_mask(masks / folder / video.name / f"{name}.png", ids)
            if tree.split != "test-dev" and tree.resolution == "full_to_480p":
                write_mask(masks / "480p" / video.name / f"{name}.png", _at_height(ids, 480))
    if year == "2017":
        tree.write_list("ImageSets/2017", [video.name for video in reversed(DAVIS_VIDEOS)])
    else:
        tree.write_list(f"ImageSets/{folder}", lines)


def _at_height(ids: np.ndarray, height: int) -> np.ndarray:
    width = -(-ids.shape[1] * height // ids.shape[0])
    return np.asarray(Image.fromarray(ids).resize((width, height), Image.Resampling.NEAREST))


def _write_youtube_vos(tree: _Tree) -> None:
    folder = tree.root / tree.dataset[-4:] / tree.split
    videos = {}
    for video in LATE_VIDEOS:
        listed = [2 * (1 + t) for t in range(video.num_frames)]
        frames = {f"{t:05d}": video.frame(t) for t in range(listed[-1] + 2)}
        names = [f"{t:05d}" for t in listed]
        # The package holds frames before the first listed one, too.
        some = {name: frames[name] for name in ["00000", *names]}
        tree.write_frames(folder / "JPEGImages" / video.name, some)
        if tree.all_frames:
            all_frames = folder.with_name(f"{tree.split}_all_frames")
            tree.write_frames(all_frames / "JPEGImages" / video.name, frames)
        for t, name in enumerate(names):
            if tree.split == "train" or video.ids_starting_at(t):
                path = folder / "Annotations" / video.name / f"{name}.png"
                write_mask(path, video.mask(t, listed[t]))
        rows = zip(video.ids, video.starts, ("cat", "dog", "kite"), strict=False)
        objects = {str(i): {"category": kind, "frames": names[start:]} for i, start, kind in rows}
        videos[video.name] = {"objects": objects}
    (folder / "meta.json").write_text(json.dumps({"videos": videos}))


def _write_lvos(tree: _Tree) -> None:
    folder = tree.root / tree.split
    videos = {}
    for video in LVOS_VIDEOS:
        numbers = [1 + 5 * t for t in range(video.num_frames)]
        frames = {f"{number:08d}": video.frame(t) for t, number in enumerate(numbers)}
        tree.write_frames(folder / "JPEGImages" / video.name, frames)
        # The first object leaves two frames before the end, which its range excludes.
        ends = [numbers[-2]] + [numbers[-1] + 1] * (len(video.ids) - 1)
        for t, number in enumerate(numbers):
            new, ids = video.ids_starting_at(t), video.mask(t)
            ids = np.where((ids == video.ids[0]) & (number >= ends[0]), 0, ids)
            if tree.split == "test":
                ids = np.where(np.isin(ids, new), ids, 0)
            if new if tree.split == "test" else t >= min(video.starts):
                path = folder / "Annotations" / video.name / f"{number:08d}.png"
                write_mask(path, ids.astype(np.uint8))
        objects = {}
        for number, start, end in zip(video.ids, video.starts, ends, strict=True):
            span = range(numbers[start], end, 5)
            limits = {"start": f"{span.start:08d}", "end": f"{end:08d}"}
            objects[str(number)] = {"frame_range": {**limits, "frame_nums": str(len(span))}}
        videos[video.name] = {"objects": objects}
    (tree.root / f"{tree.split}_meta.json").write_text(json.dumps({"videos": videos}))


def _write_long_time_video(tree: _Tree) -> None:
    # Numbers without padding, which only the natural order sorts.
    tree.write_pairs(tree.root, LONG_VIDEOS, lambda t: str(7 + t), (1, 3, 5, 7))
    tree.write_list("ImageSets", [video.name for video in LONG_VIDEOS])


def _write_mose(tree: _Tree) -> None:
    tree.write_pairs(tree.root / tree.split, labelled=None if tree.split == "train" else (0,))


def _write_mosev2(tree: _Tree) -> None:
    _write_mose(tree)
    videos = {
        video.name: {"length": video.num_frames, "height": None, "objects": [*map(str, video.ids)]}
        for video in LATE_VIDEOS
    }
    (tree.root / f"meta_{tree.split}.json").write_text(json.dumps({"videos": videos}))


def _write_sav(tree: _Tree) -> None:
    folder = tree.root / f"sav_{tree.split}"
    for video in LATE_VIDEOS:
        frames = {f"{t:05d}": video.frame(t) for t in range(video.num_frames)}
        tree.write_frames(folder / "JPEGImages_24fps" / video.name, frames)
        for place, number in enumerate(video.ids):
            for t in (0, *range(2, video.num_frames)):
                path = folder / f"Annotations_6fps/{video.name}/{place:03d}/{t:05d}.png"
                write_mask(path, np.uint8(255) * (video.mask(t) == number))
    (folder / f"sav_{tree.split}.txt").write_text("\n".join(v.name for v in LATE_VIDEOS))


def _write_vost(tree: _Tree) -> None:
    tree.write_pairs(tree.root, name_frame=lambda t: f"frame{20 * t:05d}")
    for video in LATE_VIDEOS if tree.all_frames else ():
        frames = {f"frame{10 * t:05d}": video.frame(t // 2) for t in range(2 * video.num_frames)}
        tree.write_frames(tree.root / "JPEGImages_10fps" / video.name, frames)
    tree.write_list("ImageSets", [video.name for video in LATE_VIDEOS])


def _write_static(root: Path) -> None:
    """Two sets of three pictures; the last of each has no mask."""
    for name, scale in (("COCO", 1), ("ECSSD", 255)):
        for t, stem in enumerate(("cat", "dog 2", "dog 10")):
            path = root / "JPEGImages" / name / f"{stem}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(LATE_VIDEOS[0].frame(t)).save(path)
            ids = LATE_VIDEOS[0].mask(t) if scale == 1 else 255 * (LATE_VIDEOS[0].mask(t) > 0)
            if t < 2:
                write_mask(root / "Annotations" / name / f"{stem}.png", ids.astype(np.uint8))


_WRITERS: dict[BenchmarkName, Callable[[_Tree], None]] = {
    **dict.fromkeys(("davis2016", "davis2017"), _write_davis),
    **dict.fromkeys(("youtube_vos2018", "youtube_vos2019"), _write_youtube_vos),
    **dict.fromkeys(("lvos1", "lvos2"), _write_lvos),
    "long_time_video": _write_long_time_video,
    "mose": _write_mose,
    "mosev2": _write_mosev2,
    "sav": _write_sav,
    "vost": _write_vost,
    "folder": lambda tree: tree.write_pairs(tree.root),
}
