"""Tiny trees in the layout of every data set: frames of 24 x 32, masks of a few ids."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from mavos_jax.config.data import SourceConfig

SIZE = (24, 32)
SEQUENCES = ("bike", "dog2", "dog10")
SPLITS = {"davis2016": "val", "davis2017": "train", "lvos": "valid"}


def write_tree(root: Path, kind: str) -> SourceConfig:
    """Writes the tree of a kind below ``root``; the source that opens it."""
    root.mkdir(parents=True, exist_ok=True)
    split = SPLITS.get(kind, "train")
    _WRITERS[kind](root, split)
    return SourceConfig(kind=kind, root=str(root), split=split)  # type: ignore[arg-type]


def write_pairs(
    root: Path,
    folder: str,
    stems: Sequence[str],
    *,
    below: str = ".",
    masks: Sequence[str] | None = None,
    ids: Sequence[int] = (1, 3),
) -> None:
    """Writes frames, and masks for some of them, of one folder below JPEGImages and Annotations."""
    images, annotations = (root / below / k / folder for k in ("JPEGImages", "Annotations"))
    images.mkdir(parents=True, exist_ok=True)
    annotations.mkdir(parents=True, exist_ok=True)
    for index, stem in enumerate(stems):
        image = Image.fromarray(frame_pixels(folder, index))
        image.save(images / f"{stem}.jpg", quality=90)
        if masks is None or stem in masks:
            write_mask(annotations / f"{stem}.png", mask_ids(index, ids))


def write_mask(path: Path, ids: np.ndarray) -> None:
    """Writes an indexed PNG whose palette tells nothing about the ids."""
    image = Image.fromarray(ids)
    image.putpalette([255 - i // 3 for i in range(768)])
    image.save(path)


def frame_pixels(name: str, index: int) -> np.ndarray:
    """A smooth picture that differs from frame to frame, uint8 [H, W, 3]."""
    rows, columns = np.indices(SIZE)
    channels = [(rows * 5 + columns * k + 9 * index + len(name)) % 256 for k in (1, 3, 5)]
    return np.stack(channels, axis=-1).astype(np.uint8)


def mask_ids(index: int, ids: Sequence[int]) -> np.ndarray:
    """A mask with a square for each id, uint8 [H, W]."""
    mask = np.zeros(SIZE, np.uint8)
    for place, value in enumerate(ids):
        mask[2 + index : 10 + index, 2 + 10 * place : 9 + 10 * place] = value
    return mask


def stems(count: int, step: int = 1, first: int = 0, digits: int = 5) -> list[str]:
    """Frame names."""
    return [f"{first + step * index:0{digits}d}" for index in range(count)]


def _davis(root: Path, split: str, lists: str, ids: Sequence[int]) -> None:
    for resolution in ("480p", "Full-Resolution"):
        for name in SEQUENCES:
            write_pairs(root, f"{resolution}/{name}", stems(4), ids=ids)
    (root / lists).mkdir(parents=True)
    (root / lists / f"{split}.txt").write_text("dog10\nbike\n")


def _youtube_vos(root: Path, split: str) -> None:
    videos = {
        "b1": {"2": stems(3, 5, 10), "5": stems(2, 5, 15), "7": ["00010"]},
        "a10": {"1": stems(4, 5)},
        "a2": {"1": ["00000"], "2": ["00005"]},
    }
    for name, objects in videos.items():
        listed = sorted({stem for names in objects.values() for stem in names})
        ids = [int(i) for i in objects]
        # Frames between the annotated ones, as in the all-frames package.
        extra = stems(2, 1, 1)
        write_pairs(root, name, [*extra, *listed], below=split, masks=listed, ids=ids)
    meta = {
        name: {"objects": {i: {"category": "dog", "frames": f} for i, f in objects.items()}}
        for name, objects in videos.items()
    }
    (root / split / "meta.json").write_text(json.dumps({"videos": meta}))


def _lvos(root: Path, split: str) -> None:
    names = stems(4, 5, 1, digits=8)
    for name in ("0Alp", "2uIo"):
        write_pairs(root, name, names, below=split, masks=names[1:])
    (root / f"{split}_meta.json").write_text("{}")


def _mose(root: Path, split: str) -> None:
    for name in ("0a1b", "9c"):
        write_pairs(root, name, stems(3), below=split)


def _static(root: Path, split: str) -> None:
    del split
    for name in ("COCO", "ECSSD"):
        names = ["cat", "dog 2", "dog 10"]
        write_pairs(root, name, names, masks=names[:2], ids=(1, 2) if name == "COCO" else (255,))
    mask = Image.open(root / "Annotations" / "ECSSD" / "cat.png")
    Image.fromarray(np.asarray(mask)).save(root / "Annotations" / "ECSSD" / "cat.png")


def _folder(root: Path, split: str) -> None:
    del split
    for name in SEQUENCES:
        write_pairs(root, name, stems(4), masks=stems(2, 2, 1))


_WRITERS = {
    "static": _static,
    "davis2016": lambda root, split: _davis(root, split, "ImageSets/2016", (3, 255)),
    "davis2017": lambda root, split: _davis(root, split, "ImageSets/2017", (1, 2)),
    "youtube_vos": _youtube_vos,
    "lvos": _lvos,
    "mose": _mose,
    "folder": _folder,
}
KINDS = tuple(_WRITERS)
