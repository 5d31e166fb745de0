"""Sizes and resizing, by taps from the host: cubic frames, bilinear maps, nearest masks."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Integer

CUBIC_A = -0.75  # the free parameter of the cubic kernel, OpenCV's and PyTorch's value
MAX_SHORT_EDGE = 480 * 1.3  # in pixels, of a frame at one of several test-time scales


class ResizeTaps(NamedTuple):
    """For each of t targets along an axis, the indices [t, k] of its sources and their weights."""

    indices: Array | np.ndarray
    weights: Array | np.ndarray


def network_size(
    height: int,
    width: int,
    *,
    align_corners: bool,
    max_long_edge: int,
    min_short_edge: int = 0,
    scale: float = 1.0,
    max_short_edge: float | None = None,
) -> tuple[int, int]:
    """Returns the rows and columns at which a frame enters the network.

    In double precision and this order: enlarge the short edge to ``min_short_edge`` or cap it at
    ``max_short_edge``, cap the long edge, apply the test-time scale, truncate, snap to 16 n + 1
    (``align_corners``) or 16 n.

    Differences to the PyTorch code: n is at least 1, where that gives an edge of 0 or 1 pixels, and
    ``min_short_edge`` is ours.
    """
    rows, columns = float(height), float(width)
    if min(rows, columns) < min_short_edge:
        factor = min_short_edge / min(rows, columns)
        rows, columns = rows * factor, columns * factor
    if max_short_edge is not None and min(rows, columns) > max_short_edge:
        factor = max_short_edge / min(rows, columns)
        rows, columns = rows * factor, columns * factor
    if max(rows, columns) > max_long_edge:
        factor = max_long_edge / max(rows, columns)
        rows, columns = rows * factor, columns * factor
    return (_snap(int(rows * scale), align_corners), _snap(int(columns * scale), align_corners))


def _snap(size: int, align_corners: bool) -> int:
    extra = 1 if align_corners else 0
    if size > extra and (size - extra) % 16 == 0:
        return size
    return max(round((size - extra) / 16), 1) * 16 + extra


def nearest_indices(source: int, target: int) -> np.ndarray:
    """Returns the source index of each target index: floor(i source / target), capped."""
    # In float32, as in PyTorch; double precision differs for some sizes (140 to 161, index 69).
    position = np.arange(target, dtype=np.float32) * np.float32(source / target)
    return np.minimum(np.floor(position).astype(np.int32), source - 1)


def linear_taps(source: int, target: int, *, align_corners: bool) -> ResizeTaps:
    """Returns the two source indices and weights of each target, from float32 as PyTorch's are."""
    index = np.arange(target, dtype=np.float32)
    if align_corners:
        ratio = np.float32(source - 1) / np.float32(max(target - 1, 1))
        position = index * ratio
    else:
        ratio = np.float32(source) / np.float32(target)
        position = np.maximum((index + np.float32(0.5)) * ratio - np.float32(0.5), np.float32(0))
    first = np.minimum(np.floor(position).astype(np.int32), source - 1)
    fraction = (position - first).astype(np.float32)
    indices = np.stack([first, np.minimum(first + 1, source - 1)], axis=1)
    return ResizeTaps(indices, np.stack([1 - fraction, fraction], axis=1))


def cubic_taps(source: int, target: int) -> ResizeTaps:
    """Returns the four source indices and weights of each target: half-pixel centres, clamped."""
    position = (np.arange(target) + 0.5) * (source / target) - 0.5
    first = np.floor(position)
    t, a = position - first, CUBIC_A
    near = [((a + 2) * d - (a + 3)) * d * d + 1 for d in (t, 1 - t)]
    before = ((a * (t + 1) - 5 * a) * (t + 1) + 8 * a) * (t + 1) - 4 * a
    weights = np.stack([before, near[0], near[1], 1 - before - near[0] - near[1]], axis=1)
    indices = first.astype(np.int32)[:, None] + np.arange(-1, 3, dtype=np.int32)
    return ResizeTaps(np.clip(indices, 0, source - 1), weights.astype(np.float32))


def apply_taps(
    x: Float[Array, "h w c"], rows: ResizeTaps, columns: ResizeTaps
) -> Float[Array, "h2 w2 c"]:
    """Resizes a map by the taps of the target's rows and columns."""
    return _apply_taps(_apply_taps(x, rows, 0), columns, 1)


def take_nearest(
    mask: Integer[Array, "h w"], rows: Array | np.ndarray, columns: Array | np.ndarray
) -> Integer[Array, "h2 w2"]:
    """Picks rows and columns of a mask by their indices."""
    return _take(_take(mask, rows, 0), columns, 1)


def _take(x: Array, indices: Array | np.ndarray, axis: int) -> Array:
    """Gathers along an axis; without the check of bounds that jnp.take makes of other indices."""
    place = (slice(None),) * axis + (indices,)
    return jnp.asarray(x).at[place].get(mode="promise_in_bounds")


def _apply_taps(x: Array, taps: ResizeTaps, axis: int) -> Array:
    """Returns the weighted sum of the taps of each target, as x_0 + sum_i w_i (x_i - x_0)."""
    # Weights add up to one. Compilers contract this form in one way: the same pixels everywhere.
    indices, weights = taps
    shape = [1] * x.ndim
    shape[axis] = -1
    first = total = _take(x, indices[:, 0], axis)
    for i in range(1, indices.shape[1]):
        tap = _take(x, indices[:, i], axis)
        total = total + weights[:, i].reshape(shape) * (tap - first)
    return total


def resize_bilinear(
    x: Float[Array, "h w c"], size: tuple[int, int], *, align_corners: bool
) -> Float[Array, "h2 w2 c"]:
    """Resizes a map bilinearly, as ``torch.nn.functional.interpolate`` does."""
    if x.shape[:2] == size:
        return x
    taps = [linear_taps(x.shape[i], size[i], align_corners=align_corners) for i in (0, 1)]
    return apply_taps(x, *taps)


def resize_planes(
    x: Float[Array, "c h w"], size: tuple[int, int], *, align_corners: bool
) -> Float[Array, "c h2 w2"]:
    """Resizes as :func:`resize_bilinear` does a map whose channels come first."""
    # By products with constant matrices: their gradients are products, those of gathers scatters.
    if x.shape[1:] == size:
        return x
    rows, columns = (
        _as_matrix(linear_taps(source, target, align_corners=align_corners), source)
        for source, target in zip(x.shape[1:], size, strict=True)
    )
    exact = jax.lax.Precision.HIGHEST
    x = jnp.einsum("chw,rh->crw", x, rows, precision=exact)
    return jnp.einsum("crw,sw->crs", x, columns, precision=exact)


def _as_matrix(taps: ResizeTaps, source: int) -> Float[np.ndarray, "t s"]:
    targets = np.arange(len(taps.indices))[:, None]
    matrix = np.zeros((len(targets), source), np.float32)
    np.add.at(matrix, (targets, taps.indices), taps.weights)
    return matrix
