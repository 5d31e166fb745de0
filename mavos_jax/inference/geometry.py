"""How frames of one size enter the network and how masks come out, as arguments of the programs.

Programs see frames padded to a multiple of 16, and the geometry says where the network's pixels are
found, so that videos of nearly the same size share a program.
"""

from typing import NamedTuple

import numpy as np

from mavos_jax.axes import Mask, SourceMask
from mavos_jax.config import Experiment
from mavos_jax.models.resize import (
    MAX_SHORT_EDGE,
    ResizeTaps,
    cubic_taps,
    linear_taps,
    nearest_indices,
    network_size,
    take_nearest,
)

PADDED_TO = 16  # frames and masks come padded to multiples of this many pixels
DECODER_STRIDE = 4
"""Pixels of the network's size to one of the decoder's logits, by rows and by columns."""


class Augmentation(NamedTuple):
    """The views of a video: scales of the network's size, each also mirrored if ``flip``."""

    scales: tuple[float, ...] = (1.0,)
    flip: bool = False


class Sizes(NamedTuple):
    """Height and width of frames and first mask, and of predicted masks and labels, in pixels."""

    frame: tuple[int, int]
    output: tuple[int, int]


class Geometry(NamedTuple):
    """One view of the frames of a video; rows and columns each."""

    # Cubic taps from the frame to the network's h1 rows and w1 columns.
    frame: tuple[ResizeTaps, ResizeTaps]
    # Nearest pixels of a mask of the frame's size, int32 [h1] and [w1].
    given: tuple[np.ndarray, np.ndarray]
    # Nearest pixels of a mask of the output's size, int32 [h1] and [w1].
    predicted: tuple[np.ndarray, np.ndarray]
    # Bilinear taps from stride 4 to the padded output, in the frame's own direction.
    output: tuple[ResizeTaps, ResizeTaps]

    @property
    def network_size(self) -> tuple[int, int]:
        """Rows and columns at which the view enters the network."""
        rows, columns = self.predicted
        return rows.shape[0], columns.shape[0]

    @property
    def output_size(self) -> tuple[int, int]:
        """Rows and columns of the padded output."""
        rows, columns = self.output
        return rows.indices.shape[0], columns.indices.shape[0]

    def given_mask(self, slots: SourceMask) -> Mask:
        """Returns a mask of the frame's size at network size."""
        return take_nearest(slots, *self.given)

    def predicted_mask(self, slots: SourceMask) -> Mask:
        """Returns a mask of the output's size at network size."""
        return take_nearest(slots, *self.predicted)


Geometries = tuple[Geometry, ...]  # the geometry of every view


def geometries(
    config: Experiment,
    sizes: Sizes,
    augmentation: Augmentation = Augmentation(),  # noqa: B008 - it cannot be changed
) -> Geometries:
    """Returns the geometry of every view: scale after scale, each before its mirror image."""
    views = []
    for scale in augmentation.scales:
        network = network_size(
            *sizes.frame,
            align_corners=config.align_corners,
            max_long_edge=config.inference.max_long_edge,
            min_short_edge=config.inference.min_short_edge,
            scale=scale,
            max_short_edge=MAX_SHORT_EDGE if len(augmentation.scales) > 1 else None,
        )
        for is_mirrored in (False, True) if augmentation.flip else (False,):
            views.append(_geometry(config, sizes, network, is_mirrored))
    return tuple(views)


def padded_size(size: tuple[int, int]) -> tuple[int, int]:
    """Returns the rows and columns of frames and masks of a size once they are padded."""
    height, width = (-(-edge // PADDED_TO) * PADDED_TO for edge in size)
    return height, width


def _geometry(
    config: Experiment, sizes: Sizes, network: tuple[int, int], is_mirrored: bool
) -> Geometry:
    frame = [cubic_taps(sizes.frame[axis], network[axis]) for axis in (0, 1)]
    given = [nearest_indices(sizes.frame[axis], network[axis]) for axis in (0, 1)]
    predicted = [nearest_indices(sizes.output[axis], network[axis]) for axis in (0, 1)]
    logits = [-(-edge // DECODER_STRIDE) for edge in network]
    output = [
        linear_taps(logits[axis], sizes.output[axis], align_corners=config.align_corners)
        for axis in (0, 1)
    ]
    if is_mirrored:
        last = sizes.frame[1] - 1
        frame[1] = ResizeTaps(last - frame[1].indices, frame[1].weights)
        given[1] = last - given[1]
        predicted[1] = sizes.output[1] - 1 - predicted[1]
        output[1] = ResizeTaps(output[1].indices[::-1], output[1].weights[::-1])
    rows, columns = (
        ResizeTaps(*(np.pad(part, ((0, edge - len(part)), (0, 0)), mode="edge") for part in taps))
        for taps, edge in zip(output, padded_size(sizes.output), strict=True)
    )
    return Geometry(
        (frame[0], frame[1]), (given[0], given[1]), (predicted[0], predicted[1]), (rows, columns)
    )
