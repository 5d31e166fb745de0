"""Any folder ``JPEGImages`` beside ``Annotations``, with or without splits and lists."""

from __future__ import annotations

from pathlib import Path

from mavos_jax.config.data import SourceConfig
from mavos_jax.data.sets.files import FileSet
from mavos_jax.data.sets.listing import (
    FRAMES,
    MASKS,
    describe_folder,
    find_pair,
    name_some,
    pair_sequence,
    require_annotations,
    split_names,
)
from mavos_jax.data.sets.names import read_list
from mavos_jax.media.folders import nested_folders

_LIST_FOLDERS = ("ImageSets", ".")
_SPLITS = ("train", "val", "valid", "trainval", "test", "test-dev")


def open_folder(config: SourceConfig) -> FileSet:
    """Lists every folder of images, at most two levels below ``JPEGImages``; masked frames count.

    The split is the folder ``<root>/<split>`` if that has a ``JPEGImages``; else the sequences that
    ``<root>/<split>.txt`` or ``<root>/ImageSets/<split>.txt`` names; else, where there are no
    lists, everything.

    Raises:
      ValueError: folders are missing, the list is or names what is not there, or a sequence has
        fewer than two masks.
    """
    root = Path(config.root)
    folder = find_pair(root, (*split_names(config.split), "."))
    found = nested_folders(root / folder / FRAMES)
    if folder == "." and _has_lists(root, config.split):
        named = read_list(root, [f"{lists}/{config.split}.txt" for lists in _LIST_FOLDERS])
        found = _choose(root / folder / FRAMES, found, named)
    if not found:
        raise ValueError(
            f"{root / folder / FRAMES}: expected folders of frames (.jpg or .png), found "
            f"{describe_folder(root / folder / FRAMES)}"
        )
    sequences = tuple(
        pair_sequence(
            *(root, name),
            *(str(Path(folder, kind, name)) for kind in (FRAMES, MASKS)),
            annotated_only=True,
        )
        for name in found
    )
    require_annotations(root, sequences)
    return FileSet(
        name=f"folder {root.absolute().name}",
        root=str(root.absolute()),
        sequences=sequences,
        form="ids",
        max_gap=config.max_gap,
    )


def _has_lists(root: Path, split: str) -> bool:
    """Whether there is a list of any split; other texts beside the data are no lists."""
    return any(
        (root / folder / f"{name}.txt").is_file()
        for folder in _LIST_FOLDERS
        for name in (split, *_SPLITS)
    )


def _choose(path: Path, found: tuple[str, ...], named: tuple[str, ...]) -> tuple[str, ...]:
    """Picks the sequences that a list names, by relative or by last name."""
    chosen = tuple(name for name in found if name in named or Path(name).name in named)
    known = {*chosen, *(Path(name).name for name in chosen)}
    missing = [name for name in named if name not in known]
    if missing:
        raise ValueError(
            f"{path}: expected folders of frames for all listed sequences, found none for "
            f"{len(missing)}: {name_some(missing)}"
        )
    return chosen
