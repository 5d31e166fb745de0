"""Static images for pre-training: ``JPEGImages/<set>/*.jpg`` and ``Annotations/<set>/*.png``."""

from __future__ import annotations

from mavos_jax.datasets.dataset import BenchmarkOptions, DataSet
from mavos_jax.datasets.listing import FRAMES, MASKS, describe_folder, find_pair
from mavos_jax.datasets.sequences import Layout, SequenceFiles, SequenceFolders
from mavos_jax.media.folders import MASK_SUFFIXES, images_by_stem, subfolders


def find_static(options: BenchmarkOptions) -> Layout:
    """Lists the images that have a mask, each a video of one frame.

    A mask of only 0 and 255, as in the sets for salient objects, shows one object; the ids of all
    other masks are kept.
    """
    root = options.root
    if options.split != "train":
        raise ValueError(
            f"{root}: expected split train of a static set, found {options.split!r}; there is no "
            "other"
        )
    find_pair(root, (".",))
    sequences, num_images = [], 0
    for name in subfolders(root / FRAMES):
        frames, annotations = root / FRAMES / name, root / MASKS / name
        images, masks = images_by_stem(frames), images_by_stem(annotations, MASK_SUFFIXES)
        num_images += len(images)
        sequences += [
            SequenceFolders(f"{name}/{stem}", frames / file, annotations / masks[stem], None)
            for stem, file in images.items()
            if stem in masks
        ]
    if not sequences:
        raise ValueError(
            f"{root}: expected images JPEGImages/<set>/*.jpg with masks of the same names in "
            f"Annotations/<set>, found {num_images} images and no mask of theirs in "
            f"{describe_folder(root / FRAMES)}"
        )
    num_left_out = num_images - len(sequences)
    return Layout(
        root, tuple(sequences), "first frame", is_gapless=False, num_left_out=num_left_out
    )


def _pair_image(layout: Layout, image: SequenceFolders) -> SequenceFiles:
    """Makes a video of one image; its "folders" are the files themselves."""
    del layout
    return SequenceFiles(image.name, (image.frames,), truth={0: image.masks})


STATIC = DataSet(find_static, masks="saliency", trains_on="images", pair=_pair_image)
