"""Swin's position index and shift mask against their definitions."""

import numpy as np
import pytest

from mavos_jax.models.encoders.swin import SHIFT_MASK, relative_position_index, shift_mask


def test_position_index_is_the_same_for_equal_offsets():
    window = 3
    index = relative_position_index(window)
    assert index.shape == (window**2, window**2)
    by_offset = {}
    for a in range(window**2):
        for b in range(window**2):
            offset = (a // window - b // window, a % window - b % window)
            by_offset.setdefault(offset, set()).add(int(index[a, b]))
    assert all(len(values) == 1 for values in by_offset.values())
    assert set.union(*by_offset.values()) == set(range((2 * window - 1) ** 2))
    assert (np.diag(index) == (2 * window - 1) ** 2 // 2).all()


@pytest.mark.parametrize(("rows", "columns"), [(6, 9), (3, 3)])
def test_tokens_attend_only_to_true_neighbours_after_a_shift(rows, columns):
    window, shift = 3, 1
    mask = shift_mask(rows, columns, window, shift)
    place = np.arange(rows * columns).reshape(rows, columns)
    rolled = np.roll(place, (-shift, -shift), axis=(0, 1))
    windows = rolled.reshape(rows // window, window, columns // window, window)
    windows = windows.transpose(0, 2, 1, 3).reshape(-1, window * window)
    for i, tokens in enumerate(windows):
        y, x = np.divmod(tokens, columns)
        inside_y, inside_x = np.divmod(np.arange(window * window), window)
        # Two tokens are true neighbours unless the roll carried one of them over the border.
        same_y = y[:, None] - y == inside_y[:, None] - inside_y
        same_x = x[:, None] - x == inside_x[:, None] - inside_x
        np.testing.assert_array_equal(mask[i], np.where(same_y & same_x, 0, SHIFT_MASK))
