"""Resizing of whole maps, where the package resizes by taps that it has chosen beforehand."""

from mavos_jax.models.resize import apply_taps, cubic_taps, nearest_indices, take_nearest


def resize_cubic(x, size):
    """A frame [H, W, C] at another size, by cubic taps."""
    if x.shape[:2] == size:
        return x
    return apply_taps(x, *(cubic_taps(x.shape[axis], size[axis]) for axis in (0, 1)))


def resize_nearest(mask, size):
    """A mask [H, W] at another size, by nearest indices."""
    if mask.shape == size:
        return mask
    return take_nearest(mask, *(nearest_indices(mask.shape[axis], size[axis]) for axis in (0, 1)))
