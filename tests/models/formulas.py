"""The layers in NumPy, from their formulas, in the precision of what they are given."""

import numpy as np
from scipy.special import erf


def softmax(x):
    weights = np.exp(x - x.max(-1, keepdims=True))
    return weights / weights.sum(-1, keepdims=True)


def gelu(x):
    return x * 0.5 * (1 + erf(x / np.sqrt(2)))


def dense(x, weights):
    return x @ weights["kernel"] + weights.get("bias", 0)


def normalise(x, axes: int | tuple[int, ...] = -1):
    centred = x - x.mean(axes, keepdims=True)
    return centred / np.sqrt(np.square(centred).mean(axes, keepdims=True) + 1e-5)


def layer_norm(x, weights):
    return normalise(x) * weights["scale"] + weights["bias"]


def depthwise(x, kernel):
    around = len(kernel) // 2
    padded = np.pad(x, ((around, around), (around, around), (0, 0)))
    rows, columns = x.shape[:2]
    places = np.ndindex(kernel.shape[:2])
    parts = [padded[i : i + rows, j : j + columns] * kernel[i, j] for i, j in places]
    return np.sum(parts, axis=0)


def attend_heads(query, key, value, num_heads):
    heads = zip(*(np.split(x, num_heads, axis=-1) for x in (query, key, value)), strict=True)
    return np.concatenate([softmax(q @ k.T / np.sqrt(q.shape[-1])) @ v for q, k, v in heads], -1)


def attend_windows(query, key, value, relative, table, size, radius):
    """Short-term attention; ``table`` is added to the values by their offset."""
    side, out = 2 * radius + 1, np.zeros_like(value)
    for own, (i, j) in enumerate(np.ndindex(size)):
        logits, values = [], []
        for offset, (down, right) in enumerate(np.ndindex(side, side)):
            y, x = i + down - radius, j + right - radius
            if 0 <= y < size[0] and 0 <= x < size[1]:
                token = y * size[1] + x
                logits.append(query[own] @ key[token] + relative[own, offset])
                values.append(value[token] + table[offset])
        out[own] = softmax(np.array(logits)) @ np.array(values)
    return out
