"""Your own folders: of videos, and of still images for pre-training."""

from pathlib import Path

from mavos_jax.datasets import listing
from mavos_jax.datasets.dataset import BenchmarkOptions, DataSet
from mavos_jax.datasets.mose import score_mose, summarise_mose
from mavos_jax.datasets.protocol import Protocol
from mavos_jax.datasets.sequences import Layout, SequenceFiles, SequenceFolders, sequences_below
from mavos_jax.media import folders

_ONLY = "frames"  # the name of a sequence whose frames lie in ``JPEGImages`` itself
_LIST_FOLDERS = ("ImageSets", ".")
_SPLITS = ("train", "val", "valid", "trainval", "test", "test-dev")


def find_folder(options: BenchmarkOptions) -> Layout:
    """Names every folder of images, at most two levels down, below ``<root>/<split>`` or the root.

    Training takes those of ``[ImageSets/]<split>.txt``, if there is one. The first mask is given
    and later ones with new ids; all are truth if every object is in more than one.
    """
    root = options.root
    folder = listing.find_pair(root, (*options.split_names, "."))
    frames, masks = folder / listing.FRAMES, folder / listing.MASKS
    names = folders.nested_folders(frames)
    lists = [root / x / f"{n}.txt" for x in _LIST_FOLDERS for n in (*options.split_names, *_SPLITS)]
    if options.for_training and folder == root and any(map(Path.is_file, lists)):
        listed = listing.read_split(root, _LIST_FOLDERS, options.split_names)
        names = _choose(frames, names, listed.names)
    sequences = sequences_below(frames, masks, listing.require_sequences(frames, names))
    return Layout(
        origin=frames,
        sequences=tuple(s._replace(name=_ONLY) if s.name == "." else s for s in sequences),
        starts="new ids",
        is_gapless=False,
        is_loose=True,
    )


def _choose(frames: Path, found: tuple[str, ...], named: tuple[str, ...]) -> tuple[str, ...]:
    chosen = tuple(name for name in found if name in named or Path(name).name in named)
    known = {*chosen, *(Path(name).name for name in chosen)}
    missing = [name for name in named if name not in known]
    if missing:
        raise ValueError(
            f"{frames}: expected folders of frames for all listed sequences, found none for "
            f"{len(missing)}: {folders.name_some(missing)}"
        )
    return chosen


ANY_FOLDER = DataSet(find_folder, protocol=Protocol(score_mose, summarise_mose), trains_on="videos")


def find_static(options: BenchmarkOptions) -> Layout:
    """Lists the images that have a mask, each a video of one frame."""
    root = options.root
    if options.split != "train":
        raise ValueError(
            f"{root}: expected split train of a static set, found {options.split!r}; there is no "
            "other"
        )
    listing.find_pair(root, (".",))
    sequences, num_images = [], 0
    for name in folders.subfolders(root / listing.FRAMES):
        frames, annotations = root / listing.FRAMES / name, root / listing.MASKS / name
        images = folders.images_by_stem(frames)
        masks = folders.images_by_stem(annotations, folders.MASK_SUFFIXES)
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
            f"{folders.describe_folder(root / listing.FRAMES)}"
        )
    left_out = num_images - len(sequences)
    return Layout(root, tuple(sequences), "first frame", is_gapless=False, num_left_out=left_out)


STATIC = DataSet(
    find_static,
    masks="saliency",
    trains_on="images",
    # A video of one image; its "folders" are the files themselves.
    pair=lambda layout, image: SequenceFiles(image.name, (image.frames,), truth={0: image.masks}),
)
