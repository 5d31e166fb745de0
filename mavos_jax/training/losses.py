"""The losses of one frame of one clip, and the IoU that is logged beside them.

Logits have the labels' size and a plane for each slot, of which the first ``num_objects + 1`` are
in use; labels of 255 are ignored. Slots come first, so that a CPU finds something to vectorise.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from mavos_jax.axes import Integer, Mask, Scalar
from mavos_jax.config import IGNORED, MAX_OBJECTS, ClipConfig
from mavos_jax.models.attention import MASKED

FullLogits = Float[Array, "s h1 w1"]  # at the labels' size: the background's, then the objects'


def frame_loss(
    logits: FullLogits,
    labels: Mask,
    num_objects: Scalar,
    share: Float[Array, ""],
    config: ClipConfig,
) -> Float[Array, ""]:
    """Returns the loss of a frame: half cross-entropy of a share of the pixels, half Jaccard."""
    if config.background_margin:
        logits = logits.at[0].add(-config.background_margin)
    cross_entropy = bootstrapped_cross_entropy(logits, labels, num_objects, share)
    overlap = soft_jaccard(logits, labels, num_objects, config.absence, config.absence_weight)
    return 0.5 * cross_entropy + 0.5 * overlap


def kept_share(config: ClipConfig, step: Integer[Array, ""], steps: int) -> Float[Array, ""]:
    """Returns the share of pixels that cross-entropy keeps: 1 to ``hard_pixels`` over ``ramp``."""
    progress = jnp.minimum(1.0, step / (config.ramp * steps))
    return progress * config.hard_pixels + (1.0 - progress)


def reference_weight(config: ClipConfig, step: Integer[Array, ""], steps: int) -> Float[Array, ""]:
    """Returns the weight of the reference frame's own loss, which falls linearly from 1 to 0."""
    last = config.reference_loss * steps
    return jnp.maximum(last - step, 0.0) / (last or 1.0)


def bootstrapped_cross_entropy(
    logits: FullLogits, labels: Mask, num_objects: Scalar, share: Float[Array, ""]
) -> Float[Array, ""]:
    """Mean of the k largest per-pixel cross-entropies, 0 if ignored; k = int(share * H * W)."""
    log_probabilities = _log_probabilities(logits, num_objects)
    truth = _one_hot(labels, num_objects, len(logits))
    losses = -jnp.sum(jnp.where(truth, log_probabilities, 0.0), axis=0).reshape(-1)
    k = num_kept(share, losses.size)
    threshold = kth_largest(jax.lax.stop_gradient(losses), k)
    above = losses > threshold
    # Pixels tied at the threshold share the places that are left.
    tied = losses == threshold
    share_of_tied = (k - above.sum()) / tied.sum()
    return jnp.sum(losses * (above + tied * share_of_tied)) / k


def num_kept(share: Float[Array, ""], num_pixels: int) -> Integer[Array, ""]:
    """Returns k = int(share * num_pixels), at least 1."""
    # Shares are products of a few decimals: half a thousandth of a pixel is above their rounding
    # in float32 and far below a pixel, so that an exact k is never rounded down to the one below.
    kept = jnp.floor(share * num_pixels * (1 + 1e-7) + 5e-4)
    return jnp.clip(kept, 1, num_pixels).astype(jnp.int32)


def kth_largest(values: Float[Array, "n"], k: Integer[Array, ""]) -> Float[Array, ""]:
    """Returns the k-th largest, 1 to n, of finite numbers that are not negative, bit by bit."""
    # As integers, their bits have the same order; a sort would take far longer.
    bits = jax.lax.bitcast_convert_type(jnp.abs(values), jnp.int32)

    def decide(i: Array, found: Array) -> Array:
        candidate = found | (1 << (30 - i))
        return jnp.where((bits >= candidate).sum() >= k, candidate, found)

    found = jax.lax.fori_loop(0, 31, decide, jnp.int32(0))
    return jax.lax.bitcast_convert_type(found, jnp.float32)


def soft_jaccard(
    logits: FullLogits,
    labels: Mask,
    num_objects: Scalar,
    absence: float = 0.0,
    absence_weight: float = 1.0,
) -> Float[Array, ""]:
    """1 - soft intersection over union, averaged over the classes (background too) in the labels.

    With ``absence``, an addition to the released loss, an object in use that the labels lack counts
    as well, with the weight ``absence_weight``: predicted on a share ``p`` of the pixels, it costs
    ``p / (p + absence)``.
    """
    # From the logarithms that cross-entropy takes: one softmax is enough.
    probabilities = jnp.exp(_log_probabilities(logits, num_objects))
    truth = _one_hot(labels, num_objects, len(logits)).astype(probabilities.dtype)
    probabilities = jnp.where(labels != IGNORED, probabilities, 0.0)
    intersection = jnp.sum(probabilities * truth, axis=(1, 2))
    union = probabilities.sum(axis=(1, 2)) + truth.sum(axis=(1, 2)) - intersection
    is_present = truth.any(axis=(1, 2))
    losses = jnp.where(is_present, 1.0 - intersection / (union + 1e-6), 0.0)
    weights = is_present.astype(losses.dtype)
    if absence:
        # Without intersection, the union of an absent object is what is predicted of it.
        slots = np.arange(len(logits))
        is_absent = ~is_present & (slots > 0) & (num_objects >= slots)
        losses = jnp.where(is_absent, union / (union + absence * labels.size), losses)
        weights = jnp.where(is_absent, absence_weight, weights)
    return (losses * weights).sum() / jnp.maximum(weights.sum(), 1.0)


def mean_iou(
    predicted: Mask, labels: Mask, num_objects: Scalar, most: int = MAX_OBJECTS
) -> Float[Array, ""]:
    """Returns the mean IoU over the objects that either mask holds, or 1 if neither holds any."""
    truth = _one_hot(labels, num_objects, 1 + most)[1:]
    found = _one_hot(predicted, num_objects, 1 + most)[1:] & (labels != IGNORED)
    union = (truth | found).sum(axis=(1, 2))
    ious = (truth & found).sum(axis=(1, 2)) / jnp.maximum(union, 1)
    count = (union > 0).sum()
    return jnp.where(count > 0, ious.sum() / jnp.maximum(count, 1), 1.0)


def predict(logits: FullLogits, num_objects: Scalar) -> Mask:
    """Returns the likeliest slot of each pixel among those in use."""
    return jnp.argmax(_mask_unused(logits, num_objects), axis=0).astype(jnp.int32)


def _log_probabilities(logits: FullLogits, num_objects: Scalar) -> FullLogits:
    return jax.nn.log_softmax(_mask_unused(logits, num_objects), axis=0)


def _mask_unused(logits: FullLogits, num_objects: Scalar) -> FullLogits:
    return jnp.where(num_objects >= _slots(len(logits)), logits, MASKED)


def _one_hot(labels: Mask, num_objects: Scalar, count: int) -> Bool[Array, "s h1 w1"]:
    """Which slot each pixel shows; none where it is ignored or shows a slot not in use."""
    slots = _slots(count)
    return (labels == slots) & (num_objects >= slots)


def _slots(count: int) -> np.ndarray:
    return np.arange(count)[:, None, None]
