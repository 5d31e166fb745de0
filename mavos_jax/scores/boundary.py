"""The boundary measure F of a pair of binary masks.

An outline is one long integer, a bit a pixel, and a disk a stack of runs: to dilate by it takes
some sixty shifts at 480p, sideways for the runs and by whole rows for the stack.
"""

import functools
import math

import numpy as np

_TOLERANCE = 0.008  # of the frame's diagonal
_AREA_FACTOR = 0.1


def boundary_measure(
    truth: np.ndarray, prediction: np.ndarray, tolerance: int | float | None = None
) -> float:
    """Computes how well the outlines of two masks, bool [H, W], agree.

    F = 2 P R / (P + R), with P the share of the predicted boundary that lies within the tolerance
    of the true one and R the share of the true boundary within the tolerance of the predicted one
    (Perazzi et al. 2016, section 4, as computed by the official evaluation of DAVIS 2017: pixels
    match within a disk, and not one to one). F is 1 if both masks lack a boundary, 0 if one does.
    ``tolerance`` is the disk's radius in pixels, by default that of :func:`boundary_tolerance`.
    """
    if tolerance is None:
        tolerance = boundary_tolerance(*truth.shape)
    either = truth | prediction
    rows = _span_with_margin(np.any(either, axis=1))
    box = rows, _span_with_margin(np.any(either[rows], axis=0))
    # At least as many empty columns as a run can reach: what leaves a row at one end must not
    # touch a pixel of the next row.
    stride = -(-(box[1].stop - box[1].start + math.ceil(tolerance) + 1) // 8) * 8
    true_pixels = _as_integer(boundary_map(truth[box]), stride)
    predicted_pixels = _as_integer(boundary_map(prediction[box]), stride)
    if not true_pixels or not predicted_pixels:
        return float(true_pixels == predicted_pixels)
    precision = _share(predicted_pixels, _dilate(true_pixels, stride, tolerance))
    recall = _share(true_pixels, _dilate(predicted_pixels, stride, tolerance))
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def boundary_tolerance(height: int, width: int) -> int:
    """Returns the tolerance of DAVIS 2017, 0.8% of the diagonal, in pixels, rounded up."""
    return math.ceil(_share_of_diagonal(height, width))


def _share_of_diagonal(height: int, width: int) -> float:
    return _TOLERANCE * math.sqrt(height**2 + width**2)


def tolerance_by_area(truth: np.ndarray) -> int | float:
    """Returns MOSEv2's tolerance in pixels: min(0.8% of the diagonal, ceil(0.1 sqrt(area)))."""
    share = _share_of_diagonal(*truth.shape)
    area = np.count_nonzero(truth)
    return min(share, math.ceil(_AREA_FACTOR * math.sqrt(area))) if area else share


def classical_tolerance(truth: np.ndarray) -> int | float:
    """Returns the tolerance of MOSEv2's other F: DAVIS's, rounded only where the area lowers it."""
    share = _share_of_diagonal(*truth.shape)
    return math.ceil(share) if tolerance_by_area(truth) < share else share


def boundary_map(mask: np.ndarray) -> np.ndarray:
    """Marks the pixels, bool [H, W], that differ from a right, lower or lower-right neighbour."""
    boundary = np.zeros_like(mask)
    boundary[:, :-1] = mask[:, :-1] ^ mask[:, 1:]
    boundary[:-1] |= mask[:-1] ^ mask[1:]
    boundary[:-1, :-1] |= mask[:-1, :-1] ^ mask[1:, 1:]
    return boundary


def _span_with_margin(is_used: np.ndarray) -> slice:
    """Returns the rows or columns in use, with a margin that keeps boundaries."""
    used = np.flatnonzero(is_used)
    if not used.size:
        return slice(0, 0)
    return slice(max(int(used[0]) - 1, 0), min(int(used[-1]) + 2, len(is_used)))


def _as_integer(pixels: np.ndarray, stride: int) -> int:
    """Packs bool [H, W] so that bit ``y * stride + x`` is pixel (y, x), for strides of 8 n."""
    packed = np.zeros((len(pixels), stride // 8), np.uint8)
    values = np.packbits(pixels, axis=1, bitorder="little")
    packed[:, : values.shape[1]] = values
    return int.from_bytes(packed.tobytes(), "little")


def _dilate(pixels: int, stride: int, radius: int | float) -> int:
    """Sets the pixels whose disk holds a set pixel, and some outside the frame."""
    dilated, run, reach = 0, pixels, 1
    for length, last, row in _disk(radius):
        while reach < length:
            step = min(length - reach, reach)
            run |= run << step
            reach += step
        shift = row * stride + last
        dilated |= run >> shift if shift > 0 else run << -shift
    return dilated


@functools.lru_cache
def _disk(radius: int | float) -> tuple[tuple[int, int, int], ...]:
    """Lists the runs of a disk, the shortest first: length, last column and row, as offsets."""
    # As in the official tools, a disk of a broken radius lies off its centre, size // 2.
    size = math.ceil(radius + 1 + radius)
    squares = (np.arange(size) - radius) ** 2
    runs = []
    for row, is_inside in enumerate(squares[:, None] + squares <= radius**2):
        columns = np.flatnonzero(is_inside)
        if columns.size:
            runs.append((len(columns), int(columns[-1]) - size // 2, row - size // 2))
    return tuple(sorted(runs))


def _share(pixels: int, region: int) -> float:
    return (pixels & region).bit_count() / pixels.bit_count()
