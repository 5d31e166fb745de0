"""Reads a benchmark's frames and masks at the sizes it asks for, and the masks of results."""

import math
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import numpy as np

from mavos_jax.datasets.dataset import Benchmark
from mavos_jax.datasets.listing import FRAMES, MASKS
from mavos_jax.datasets.sequences import SequenceFiles
from mavos_jax.media.folders import describe_folder, name_some, subfolders, visible
from mavos_jax.media.masks import Values, read_mask
from mavos_jax.media.pictures import Size, describe_size, read_image
from mavos_jax.media.samples import Labels
from mavos_jax.models.resize import cubic_taps, nearest_indices
from mavos_jax.runtime.files import short_hash

_RESULT_FOLDERS = ("", "Annotations", "masks")


def input_size(benchmark: Benchmark, stored: Size) -> Size:
    """Returns the height and width, in pixels, that stored frames are shrunk to."""
    if benchmark.short_edge is None or min(stored) <= benchmark.short_edge:
        return stored
    factor = benchmark.short_edge / min(stored)
    height, width = (math.floor(edge * factor + 0.5) for edge in stored)
    return height, width


def output_size(benchmark: Benchmark, stored: Size) -> Size:
    """Returns the height and width, in pixels, of the masks of stored frames."""
    height, width = input_size(benchmark, stored)
    if benchmark.output_height is None:
        return height, width
    return benchmark.output_height, math.ceil(width * benchmark.output_height / height)


def read_frame(benchmark: Benchmark, path: Path) -> np.ndarray:
    """Reads a frame, uint8 RGB [H, W, 3], at the input size."""
    frame = read_image(path)
    size = input_size(benchmark, (frame.shape[0], frame.shape[1]))
    if frame.shape[:2] == size:
        return frame
    # The network's cubic, rounded to whole numbers.
    result = frame.astype(np.float32)
    for axis in (0, 1):
        indices, weights = cubic_taps(result.shape[axis], size[axis])
        shape = (1,) * axis + (size[axis],) + (1,) * (2 - axis)
        taps = np.stack([np.take(result, index, axis=axis) for index in np.asarray(indices).T])
        result = (taps * np.asarray(weights).T.reshape(-1, *shape)).sum(axis=0)
    return np.clip(np.rint(result), 0, 255).astype(np.uint8)


def read_given(benchmark: Benchmark, sequence: SequenceFiles, index: int, stored: Size) -> Values:
    """Reads the ids to start from at a frame, uint8 [H, W] at the input size, and the palette."""
    given = sequence.given[index]
    ids, palette = read_mask(given.path, stored, allow_empty=True)
    ids = Labels("binary" if benchmark.is_binary else "ids", given.ids)(ids)
    return Values(shrink_mask(ids, input_size(benchmark, stored)), palette)


def read_truth(benchmark: Benchmark, sequence: SequenceFiles, index: int) -> np.ndarray:
    """Reads the true mask of a frame, uint8 ids [H, W], at the size of results."""
    ids, _ = read_result(sequence.truth[index])
    if benchmark.is_binary:
        ids = (ids > 0).astype(np.uint8)
    return shrink_mask(ids, output_size(benchmark, (ids.shape[0], ids.shape[1])))


def shrink_mask(ids: np.ndarray, size: Size) -> np.ndarray:
    """Resizes ids, uint8 [H, W], to their nearest neighbours."""
    if ids.shape == size:
        return ids
    rows, columns = (nearest_indices(ids.shape[axis], size[axis]) for axis in (0, 1))
    return ids[rows][:, columns]


def require_apart(benchmark: Benchmark, root: Path) -> None:
    """Raises ValueError for results among frames or masks, where they would be a sequence."""
    place = root.resolve()
    paths = [path for s in benchmark.sequences for path in (s.frames[0], s.given[0].path)]
    names = FRAMES, MASKS
    folders = {next((p for p in path.parents if p.name in names), path.parent) for path in paths}
    for folder in sorted(folders):
        if folder.resolve() in (place, *place.parents):
            raise ValueError(
                f"{root}: expected a folder for results outside of {folder}, found it inside; give "
                "another --output"
            )


def find_masks(results: Path, benchmark: Benchmark) -> Path:
    """Finds the folder with ``<sequence>/<frame>.png``: ``results`` or a known folder in it."""
    names = [sequence.name for sequence in benchmark.sequences]
    for folder in (results / name for name in _RESULT_FOLDERS):
        missing = [name for name in names if not (folder / name).is_dir()]
        if len(missing) == len(names):
            continue
        if missing:
            raise ValueError(
                f"{folder}: expected a folder of masks for all {len(names)} sequences of "
                f"{benchmark.name}, found none for {len(missing)}: {name_some(missing)}"
            )
        return folder
    raise ValueError(
        f"{results}: expected folders of masks ({name_some(names)}) in it, or in Annotations or "
        f"masks under it, found {describe_folder(results)}"
    )


def describe_surplus(results: Path, benchmark: Benchmark, *, is_whole: bool = True) -> str:
    """Names the masks and, in results of the whole set, the folders that belong to none of it."""
    masks = find_masks(results, benchmark)
    surplus = []
    for sequence in benchmark.sequences:
        known = {f"{sequence.frame_name(index)}.png" for index in range(len(sequence.frames))}
        names = (name for name in visible(masks / sequence.name) if name.endswith(".png"))
        surplus += [f"{sequence.name}/{name}" for name in names if name not in known]
    if is_whole:
        known = {PurePosixPath(sequence.name).parts[0] for sequence in benchmark.sequences}
        others = (name for name in subfolders(masks) if name not in known)
        surplus += [name for name in others if any((masks / name).glob("*.png"))]
    if not surplus:
        return ""
    return f"not scored, of no frame or sequence of {benchmark.name}: {name_some(surplus)}"


def mask_path(masks: Path, sequence: SequenceFiles, index: int) -> Path:
    """The file of a predicted mask in the folder found by :func:`find_masks`."""
    return masks / sequence.name / f"{sequence.frame_name(index)}.png"


def read_prediction(
    masks: Path, sequence: SequenceFiles, index: int, size: Size, *, is_binary: bool
) -> np.ndarray:
    """Reads a predicted mask, uint8 ids [H, W], which must have the size of the truth."""
    path = mask_path(masks, sequence, index)
    if not path.is_file():
        wanted = {mask_path(masks, sequence, saved).name for saved in sequence.saved}
        missing = sum(not (path.parent / name).is_file() for name in wanted)
        raise ValueError(
            f"{path}: expected a mask, found no such file; {missing} of the {len(wanted)} masks of "
            f"a result are missing, the folder holds {describe_folder(path.parent)}"
        )
    ids, _ = read_result(path)
    if ids.shape != size:
        raise ValueError(
            f"{path}: expected a mask of {describe_size(size)} as the truth, found "
            f"{describe_size((ids.shape[0], ids.shape[1]))}; score at the results' resolution, or "
            "segment at that of the truth"
        )
    return (ids > 0).astype(np.uint8) if is_binary else ids


def read_result(path: Path) -> Values:
    """Reads a mask as it is, of any size: ids, uint8 [H, W], and its palette or None."""
    return read_mask(path, allow_empty=True, is_drawn=False)


def fingerprint_results(results: Path, benchmark: Benchmark) -> str:
    """A short hash of the bytes of a result's masks that exist."""
    masks = find_masks(results, benchmark)

    def parts() -> Iterator[str | bytes]:
        for sequence in benchmark.sequences:
            for index in sequence.saved:
                path = mask_path(masks, sequence, index)
                if path.is_file():
                    content = path.read_bytes()
                    yield f"{sequence.name}/{path.name} {len(content)}\n"
                    yield content

    return short_hash(parts())
