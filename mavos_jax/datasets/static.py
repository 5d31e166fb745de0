"""Static images for pre-training: ``JPEGImages/<set>/*.jpg`` and ``Annotations/<set>/*.png``."""

from __future__ import annotations

from pathlib import Path

from mavos_jax.config.data import SourceConfig
from mavos_jax.datasets.files import FileSet, SequenceFiles
from mavos_jax.datasets.listing import FRAMES, MASKS, describe_folder, find_pair, subfolders
from mavos_jax.media.folders import MASK_SUFFIXES, images_by_stem


def open_static(config: SourceConfig) -> FileSet:
    """Lists the images that have a mask, each a video of one frame; counts those that have none.

    A mask of 0 and 255 alone, as in the sets for salient objects, shows one object; the ids of all
    other masks are kept.

    Raises:
      ValueError: folders are missing, or no image has a mask.
    """
    root = Path(config.root)
    if config.split != "train":
        raise ValueError(
            f"split of a static set: expected train, there is no other, got {config.split!r}"
        )
    find_pair(root, (".",))
    sequences, num_images = [], 0
    for folder in subfolders(root / FRAMES):
        images = images_by_stem(root / FRAMES / folder)
        masks = images_by_stem(root / MASKS / folder, MASK_SUFFIXES)
        num_images += len(images)
        frame_folder, mask_folder = f"{FRAMES}/{folder}", f"{MASKS}/{folder}"
        sequences += [
            SequenceFiles(f"{folder}/{stem}", frame_folder, mask_folder, (name,), (masks[stem],))
            for stem, name in images.items()
            if stem in masks
        ]
    if not sequences:
        raise ValueError(
            f"{root}: expected images JPEGImages/<set>/*.jpg with masks of the same names in "
            f"Annotations/<set>, found {num_images} images and no mask of theirs in "
            f"{describe_folder(root / FRAMES)}"
        )
    return FileSet(
        name="static",
        root=str(root.absolute()),
        sequences=tuple(sequences),
        form="saliency",
        max_gap=config.max_gap,
        is_static=True,
        num_left_out=num_images - len(sequences),
    )
