"""Attention over tokens: dense, and inside a window around each token; of one head or several."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from mavos_jax.axes import Tokens
from mavos_jax.models.backend import Backend, Softmax

MASKED = -1e30  # added to the logits of places that must get no weight
_LEAST_QUERIES = 128  # few would read a long memory many times


def attend(
    query: Float[Array, "n k"],
    key: Float[Array, "m k"],
    value: Float[Array, "m v"],
    bias: Float[Array, "1 m"] | None = None,
    *,
    softmax: Softmax = "after",
    most_scores: int | None = None,
) -> Float[Array, "n v"]:
    """Returns softmax(q k^T + bias) v of a scaled query.

    ``softmax`` says whether the weights are normalised ``before`` the product with the values, or
    its result ``after``, which saves a pass over [n, m] where that is not fused. Of more than
    ``most_scores`` weights, so many are in memory at once, those of some of the queries, 128 at
    least: each time reads all keys and values.
    """

    def attend_some(query: Float[Array, "_ k"]) -> Float[Array, "_ v"]:
        weights, total = _weigh(query, key, bias, softmax)
        weights = weights.astype(value.dtype)
        return jnp.matmul(weights, value, preferred_element_type=jnp.float32) / total

    step = len(query) if most_scores is None else max(_LEAST_QUERIES, most_scores // len(key))
    if step >= len(query):
        return attend_some(query)
    tiles = [attend_some(query[i : i + step]) for i in range(0, len(query), step)]
    return jnp.concatenate(tiles)


def _weigh(
    query: Float[Array, "n k"],
    key: Float[Array, "m k"],
    bias: Float[Array, "#n m"] | None,
    softmax: Softmax,
) -> tuple[Float[Array, "n m"], Float[Array, "n 1"] | float]:
    """Returns the weights, and what remains to divide the weighted sum of the values by."""
    logits = jnp.matmul(query, key.T, preferred_element_type=jnp.float32)
    if bias is not None:
        logits = logits + bias
    # The result does not depend on the shift, so it needs no gradient.
    weights = jnp.exp(logits - jax.lax.stop_gradient(logits.max(axis=-1, keepdims=True)))
    total = weights.sum(axis=-1, keepdims=True)
    return (weights / total, 1.0) if softmax == "before" else (weights, total)


def attend_heads(
    attend_head: Callable[..., Array], operands: tuple[Array, ...], num_heads: int, backend: Backend
) -> Tokens:
    """Runs attention on each head's part of operands [n, heads k] or [heads, n, k]; joins them."""

    def split(x: Array) -> Array:
        return x if x.ndim == 3 else x.reshape(x.shape[0], num_heads, -1).transpose(1, 0, 2)

    heads = tuple(map(split, operands))
    if backend.heads == "sequential":
        out = jax.lax.map(lambda x: attend_head(*x), heads)
    else:
        out = jax.vmap(attend_head)(*heads)
    return out.transpose(1, 0, 2).reshape(out.shape[1], -1)


def attend_window(
    query: Float[Array, "n k"],
    key: Float[Array, "n k"],
    value: Float[Array, "n v"],
    relative: Float[Array, "n r"],
    relative_value: Float[Array, "r v"] | None = None,
    *,
    size: tuple[int, int],
    radius: int,
    tile: int | None,
    softmax: Softmax = "after",
    most_scores: int | None = None,
) -> Float[Array, "n v"]:
    """Attention, as :func:`attend`, of each token of a map to the (2 radius + 1)^2 around it.

    Query tiles see the keys within ``radius`` of the tile, clipped at the map's border; places
    outside a token's own window are masked. One tile that covers the map is dense attention with
    a banded mask: fewer and larger operations, [n, n] logits.

    ``relative`` has a logit per offset, row-major from (-radius, -radius); ``relative_value`` is
    added to the values there. Tiles have sides of ``tile`` tokens; ``None`` is for one tile, or
    strips of rows where that had more than ``most_scores`` logits.
    """
    rows, columns = size
    window = 2 * radius + 1
    tile_rows, tile_columns = (rows, columns) if tile is None else (tile, tile)
    if tile is None and most_scores is not None:
        tile_rows = _strip_rows(rows, columns, radius, most_scores)
    query_map, key_map, value_map = (x.reshape(rows, columns, -1) for x in (query, key, value))
    relative_map = relative.reshape(rows, columns, window, window)

    def attend_tile(top: int, left: int) -> Float[Array, "h w v"]:
        bottom, right = min(top + tile_rows, rows), min(left + tile_columns, columns)
        key_top, key_left = max(top - radius, 0), max(left - radius, 0)
        key_bottom, key_right = min(bottom + radius, rows), min(right + radius, columns)
        inside_rows = slice(key_top - top + radius, key_bottom - top + radius)
        inside_columns = slice(key_left - left + radius, key_right - left + radius)
        bias = _offsets_to_places(relative_map[top:bottom, left:right])
        bias = bias[:, :, inside_rows, inside_columns]
        tile_query = query_map[top:bottom, left:right].reshape(-1, query.shape[-1])
        num_tokens = len(tile_query)
        keys = key_map[key_top:key_bottom, key_left:key_right].reshape(-1, key.shape[-1])
        values = value_map[key_top:key_bottom, key_left:key_right].reshape(-1, value.shape[-1])
        weights, total = _weigh(tile_query, keys, bias.reshape(num_tokens, -1), softmax)
        weights = weights.astype(value.dtype)
        out = jnp.matmul(weights, values, preferred_element_type=jnp.float32)
        if relative_value is not None:
            outside = (
                (key_top - top + radius, bottom + radius - key_bottom),
                (key_left - left + radius, right + radius - key_right),
            )
            surroundings = jnp.pad(weights.reshape(bias.shape), ((0, 0), (0, 0), *outside))
            by_offset = _places_to_offsets(surroundings).reshape(num_tokens, -1)
            out += jnp.matmul(by_offset, relative_value, preferred_element_type=jnp.float32)
        return (out / total).reshape(bottom - top, right - left, -1)

    lefts = range(0, columns, tile_columns)
    strips = [
        jnp.concatenate([attend_tile(top, left) for left in lefts], axis=1)
        for top in range(0, rows, tile_rows)
    ]
    return jnp.concatenate(strips, axis=0).reshape(rows * columns, -1)


def _strip_rows(rows: int, columns: int, radius: int, most_scores: int) -> int:
    """Returns the most rows of a strip whose logits, for ``radius`` more at each side, are few."""
    most = most_scores // columns**2
    strips = (size for size in range(1, rows + 1) if size * min(rows, size + 2 * radius) <= most)
    return max(strips, default=1)


def _offsets_to_places(relative: Float[Array, "y x dy dx"]) -> Float[Array, "y x a b"]:
    """Places logits per offset: out[y, x, y + dy, x + dx] = in[y, x, dy, dx], masked elsewhere."""
    by_column = _skew(relative.transpose(0, 2, 1, 3))  # y dy x b
    by_row = _skew(by_column.transpose(2, 3, 0, 1))  # x b y a
    return by_row.transpose(2, 0, 3, 1)


def _skew(x: Float[Array, "p q i d"]) -> Float[Array, "p q i j"]:
    """Shifts row i right by i: out[..., i, i + d] = x[..., i, d], masked elsewhere."""
    # Without a gather: rows padded to one more than the result's width are read with that width.
    *lead, length, depth = x.shape
    width = length + depth - 1
    x = jnp.pad(x, ((0, 0), (0, 0), (0, 0), (0, width + 1 - depth)), constant_values=MASKED)
    x = x.reshape(*lead, length * (width + 1))[..., : length * width]
    return x.reshape(*lead, length, width)


def _places_to_offsets(places: Float[Array, "y x a b"]) -> Float[Array, "y x dy dx"]:
    """Turns numbers per place into numbers per offset: the inverse of the function above."""
    by_column = _unskew(places.transpose(1, 3, 0, 2)).transpose(2, 3, 0, 1)  # y dy x b
    return _unskew(by_column).transpose(0, 2, 1, 3)


def _unskew(x: Float[Array, "p q i j"]) -> Float[Array, "p q i d"]:
    """Shifts row i left by i: out[..., i, d] = x[..., i, i + d]."""
    *lead, length, width = x.shape
    x = jnp.pad(x.reshape(*lead, length * width), ((0, 0), (0, 0), (0, length)))
    return x.reshape(*lead, length, width + 1)[..., : width - length + 1]
