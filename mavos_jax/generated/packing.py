"""Places the bodies of a generated scene in its first frame, apart from one another."""

from __future__ import annotations

import math

import numpy as np

Centre = tuple[float, float]
_CANDIDATES = 16
_SHRINK = 0.9


def pack(
    rng: np.random.Generator, radii: np.ndarray, size: tuple[int, int], gap: float
) -> tuple[list[Centre], np.ndarray]:
    """Places discs inside the frame; where they do not fit, all of them shrink.

    Args:
      rng: the source of chance.
      radii: in pixels, float [N].
      size: height and width of the frame, in pixels.
      gap: the least distance of two discs, as a share of the sum of their radii.

    Returns:
      The centres (x, y) and the radii that they got.
    """
    for _ in range(12):
        centres = add_discs(rng, [], radii[:0], radii, size, gap)
        if None not in centres:
            return [centre for centre in centres if centre is not None], radii
        radii = _SHRINK * radii
    return _grid(rng, radii, size)


def add_discs(
    rng: np.random.Generator,
    placed: list[Centre],
    placed_radii: np.ndarray,
    radii: np.ndarray,
    size: tuple[int, int],
    gap: float,
) -> list[Centre | None]:
    """Places more discs beside those already ``placed``; None for one that finds no room."""
    extent = np.array([size[1], size[0]], float)
    taken = np.array(placed, float).reshape(-1, 2)
    taken_radii = placed_radii
    centres: list[Centre | None] = []
    for radius in radii.tolist():
        inset = np.minimum(radius, 0.5 * extent)
        candidates = inset + rng.random((_CANDIDATES, 2)) * (extent - 2 * inset)
        distance = ((candidates[:, None] - taken) ** 2).sum(-1)
        free = (distance >= (gap * (radius + taken_radii)) ** 2).all(1)
        if not free.any():
            centres.append(None)
            continue
        centre = candidates[free.argmax()]
        taken = np.concatenate([taken, centre[None]])
        taken_radii = np.append(taken_radii, radius)
        centres.append((float(centre[0]), float(centre[1])))
    return centres


def grid_shape(count: int, size: tuple[int, int]) -> tuple[int, int]:
    """Rows and columns of near-square cells, one for each of ``count`` bodies."""
    rows = max(1, round(math.sqrt(count * size[0] / max(size[1], 1))))
    rows = min(rows, count)
    return rows, math.ceil(count / rows)


def _grid(
    rng: np.random.Generator, radii: np.ndarray, size: tuple[int, int]
) -> tuple[list[Centre], np.ndarray]:
    height, width = size
    rows, columns = grid_shape(len(radii), size)
    cells = rng.permutation(rows * columns)[: len(radii)]
    centres = [
        ((cell % columns + 0.5) * width / columns, (cell // columns + 0.5) * height / rows)
        for cell in cells.tolist()
    ]
    return centres, np.full(len(radii), 0.5 * min(height / rows, width / columns))
