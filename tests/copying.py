"""A stand-in for the network: nothing moves, and late objects stay where they appear."""

from collections.abc import Iterator

import numpy as np

from mavos_jax.evaluation.reading import shrink_mask
from mavos_jax.inference.outputs import given_judged

CHUNK = 4


def copy_masks(
    model,
    variables,
    frames,
    mask,
    *,
    labels=(),
    output_size=None,
    on_frame=None,
    on_judged=None,
    soft_masks=False,
    **options,
) -> Iterator[np.ndarray]:
    """Takes the place of ``stream_masks``: yields the first mask with the late objects so far.

    Like the network it pulls frames a chunk ahead, and holds back an error of their source until
    the masks before it are out.
    """
    source, error, index = iter(frames), None, 0
    current = shrink_mask(mask, output_size or mask.shape)
    while error is None:
        count = 0
        try:
            for _ in range(CHUNK):
                next(source)
                count += 1
        except (StopIteration, ValueError) as caught:
            error = caught
        for _ in range(count):
            if index in labels:
                current = np.where(labels[index] > 0, labels[index], current)
            if on_frame is not None:
                on_frame(index, 0.01)
            if on_judged is not None:
                on_judged(index, *given_judged(current, with_soft=soft_masks))
            yield current
            index += 1
    if isinstance(error, ValueError):
        raise error
