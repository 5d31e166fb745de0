import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree
from small_configs import BANK, LSTT, MOBILENET, RESNET, SWIN, vary
from training.device_campaign import SMALL, make_batch

from mavos_jax.config import ClipConfig, DataConfig, TrainingConfig
from mavos_jax.inference import step
from mavos_jax.inference.frame import normalise
from mavos_jax.inference.objects import put_label
from mavos_jax.models.backend import backend_for
from mavos_jax.models.mavos import build_model, init_variables, variable_shapes
from mavos_jax.models.resize import resize_bilinear
from mavos_jax.training.clip import Clip, clip_loss, give_at_once, give_late, write_times
from mavos_jax.training.losses import frame_loss, kept_share, mean_iou, predict, reference_weight

# The first write is a plain copy: with this gap, frame 4 is fused and frame 5 segmented from it.
STEPS, SWITCH, NUM_FRAMES, GAP = 10, 4, 6, 2
RECIPE = ClipConfig(gap=GAP, teacher_forcing=SWITCH / STEPS, dropout=False)
CONFIG = dataclasses.replace(
    SMALL,
    data=DataConfig(clip_frames=NUM_FRAMES, crop=33, max_objects=3),
    training=TrainingConfig(steps=STEPS, clip=RECIPE),
)
FORCED, FREE = jnp.int32(SWITCH - 1), jnp.int32(SWITCH)
KEY = jax.random.PRNGKey(3)
QUICKLY = {"xla_backend_optimization_level": 0}  # compiled in half the time


def changed(config=CONFIG, **fields):
    config = dataclasses.replace(config, training=CONFIG.training)
    return vary(config, training={"clip": fields})


@functools.cache
def variables():
    return init_variables(build_model(CONFIG))


@functools.cache
def clip():
    """Three objects; some pixels ignored in every frame, and one whole frame."""
    batch = make_batch(CONFIG, 1)
    masks = batch.masks[0].copy()
    masks[:, 12:20, 12:20] = 3
    masks[3] = 255
    return Clip(jnp.asarray(batch.frames[0]), jnp.asarray(masks), jnp.int32(3))


def loss_of(config, compute="float32"):
    model = build_model(config, dataclasses.replace(backend_for("cpu"), compute=compute))
    return functools.partial(clip_loss, model)


@functools.cache
def gradient_of(config, compute="float32"):
    loss = loss_of(config, compute)

    def run(params, clip, at):
        return loss({**variables(), "params": params}, clip, at, None)

    return jax.jit(jax.value_and_grad(run, has_aux=True), compiler_options=QUICKLY)


def measure(at, config=CONFIG, compute="float32"):
    (loss, result), gradient = gradient_of(config, compute)(variables()["params"], clip(), at)
    return loss, result, gradient


@functools.cache
def parts():
    """The steps of inference, compiled one by one, and the score of a frame."""
    model = build_model(CONFIG)

    def score(logits, labels, num_objects, share):
        full = resize_bilinear(logits, labels.shape, align_corners=True).transpose(2, 0, 1)
        slots = predict(full, num_objects)
        loss = frame_loss(full, labels, num_objects, share, RECIPE)
        return loss, mean_iou(slots, labels, num_objects), slots

    names = ("encode", "start_segmented", "segment", "memorise", "memorise_reference")
    steps = [jax.jit(functools.partial(getattr(step, name), model)) for name in names]
    return [*steps, jax.jit(score)]


def drive(clip, at, is_forced, places=tuple(range(11)), given=None, label_at=0):
    """The loss by a Python loop over all slots, used or not.

    What goes into the memory has its slots renamed to ``places``; a label comes at ``label_at``.
    """
    encode, start, segment, memorise, refer, score = parts()
    network, names = variables(), np.array([*places, *[255] * 245])
    given = give_at_once(clip.masks, clip.num_objects) if given is None else given
    labels, since = np.asarray(given.labels), 0
    share = kept_share(RECIPE, at, STEPS)
    results, memory, pending = [], None, None
    for t in range(NUM_FRAMES):
        features = encode(network, normalise(clip.frames[t].astype(jnp.float32)))
        if t == 0:
            logits, memory = start(network, features, jnp.asarray(names[labels[0]]))
        else:
            logits, pending = segment(network, memory, features)
        logits = jnp.asarray(np.asarray(logits)[..., list(places)])
        results.append(score(logits, jnp.asarray(labels[t]), given.num_objects[t], share))
        if 0 < t < NUM_FRAMES - 1:
            kept, since = labels[t] if is_forced else np.asarray(results[t][2]), since + 1
            if t == label_at:
                label = np.asarray(given.label)
                kept, since = np.asarray(put_label(jnp.asarray(label), jnp.asarray(kept))), 0
                memory = refer(network, memory, features, jnp.asarray(names[kept]))
                continue
            is_due = jnp.bool_(since and since % GAP == 0)
            memory = memorise(network, memory, pending, jnp.asarray(names[kept]), is_due=is_due)
    losses, ious, slots = (np.stack(values) for values in zip(*results, strict=True))
    weight = reference_weight(RECIPE, at, STEPS)
    return losses[1:].mean() + float(weight) * losses[0], losses, ious, slots


def check(found, expected):
    loss, result = found
    np.testing.assert_allclose(loss, expected[0], rtol=1e-5)
    np.testing.assert_allclose(result.loss, expected[1], rtol=1e-5)
    np.testing.assert_allclose(result.iou, expected[2], rtol=1e-5)
    np.testing.assert_array_equal(result.slots, expected[3])


@pytest.mark.parametrize(("at", "is_forced"), [(FORCED, True), (FREE, False)])
def test_the_scan_is_a_loop_over_the_steps_of_inference(at, is_forced):
    loss, result, _ = measure(at)
    check((loss, result), drive(clip(), at, is_forced))
    # The other memories give another loss: the switch comes at exactly this step.
    assert abs(float(loss) - drive(clip(), at, not is_forced)[0]) > 1e-4 * float(loss)
    assert result.loss[3] == 0  # nothing of that frame is known
    assert len(np.unique(result.slots)) > 1


def test_shuffled_identities_are_renamed_slots():
    found = jax.jit(loss_of(CONFIG))(variables(), clip(), FORCED, KEY)
    places = 1 + jax.random.permutation(jax.random.fold_in(KEY, 0), 10)
    check(found, drive(clip(), FORCED, True, (0, *places.tolist())))
    assert abs(float(found[0]) - drive(clip(), FORCED, True)[0]) > 1e-4 * float(found[0])


@functools.cache
def late_loss():
    return jax.jit(loss_of(changed(late=1.0, shuffle_identities=False)))


@pytest.mark.parametrize(("at", "is_forced", "label_at"), [(FORCED, True, 3), (FREE, False, 1)])
def test_a_label_is_taken_in_as_in_inference(at, is_forced, label_at):
    found = late_loss()(variables(), clip(), at, KEY, jnp.int32(label_at))
    late = functools.partial(give_late, clip().masks, clip().num_objects)
    given = late(jnp.int32(label_at), jax.random.fold_in(KEY, 2))
    assert given.num_objects[0] < 3
    check(found, drive(clip(), at, is_forced, given=given, label_at=label_at))
    assert found[1].slots[: label_at + 1].max() <= given.num_objects[0]
    other = drive(clip(), at, is_forced, given=given)  # the frame is memorised like any other
    assert abs(float(found[0]) - other[0]) > 1e-4 * float(found[0])


def test_no_label_changes_nothing():
    found = late_loss()(variables(), clip(), FREE, KEY, jnp.int32(0))
    _, result, _ = measure(FREE)
    np.testing.assert_allclose(found[1].loss, result.loss, rtol=1e-5)


@pytest.mark.parametrize(("at", "is_trained"), [(FORCED, True), (FREE, False)])
def test_the_identification_bank_learns_from_true_masks_alone(at, is_trained):
    _, _, gradient = measure(at)
    for name, part in gradient.items():
        leaves = jax.tree.leaves(part)
        assert all(np.isfinite(leaf).all() for leaf in leaves), name
        assert any(leaf.any() for leaf in leaves) == (name != "identification" or is_trained)
    bank = gradient["identification"]
    assert bank["kernel"].any() == bank["norm"]["scale"].any() == is_trained


@pytest.mark.parametrize(
    ("num_frames", "gap", "label_at", "times"),
    [
        (6, 1, None, [1, 2, 3, 4]),  # frame 5, the last, never enters the memory
        (6, 2, None, [2, 4]),
        (6, 3, None, [3]),
        (6, 5, None, []),
        (6, 9, None, []),
        (9, 2, 0, [2, 4, 6]),  # without a label
        (9, 2, 3, [2, 3, 5, 7]),  # counted from the label on
        (9, 2, 4, [2, 4, 6]),
    ],
)
def test_write_times(num_frames, gap, label_at, times):
    found = write_times(num_frames, gap, label_at if label_at is None else jnp.int32(label_at))
    assert found.dtype == bool
    np.testing.assert_array_equal(1 + np.flatnonzero(found), times)


def test_a_bank_has_room_for_a_clip_alone():
    def program(capacity):
        config = vary(BANK, training=vars(CONFIG.training), memory={"capacity": capacity})
        return str(jax.make_jaxpr(loss_of(config))(variable_shapes(config), clip(), FREE, KEY))

    assert program(4) == program(64)


def test_rematerialising_changes_nothing():
    loss, result, gradient = measure(FORCED)
    again, other, same = measure(FORCED, changed(rematerialise=True))
    np.testing.assert_allclose(again, loss, rtol=1e-6)
    np.testing.assert_allclose(other.loss, result.loss, rtol=1e-6)
    # Of what a normalisation cancels, only rounding is left: all are measured by the largest.
    scale = max(np.abs(np.asarray(leaf)).max() for leaf in jax.tree.leaves(gradient))
    for one, two in zip(jax.tree.leaves(gradient), jax.tree.leaves(same), strict=True):
        np.testing.assert_allclose(two, one, rtol=1e-4, atol=1e-6 * scale)


def test_bfloat16_keeps_losses_and_gradients_in_float32():
    loss, result, gradient = measure(FORCED)
    low, found, reduced = measure(FORCED, compute="bfloat16")
    assert low.dtype == found.loss.dtype == found.iou.dtype == jnp.float32
    assert low != loss
    np.testing.assert_allclose(low, loss, rtol=0.02)
    np.testing.assert_allclose(found.loss, result.loss, rtol=0.02)
    assert all(leaf.dtype == jnp.float32 for leaf in jax.tree.leaves(reduced))
    one, two = (ravel_pytree(leaves)[0] for leaves in (gradient, reduced))
    assert one @ two > 0.98 * jnp.linalg.norm(one) * jnp.linalg.norm(two)


OTHERS = [
    *(RESNET, SWIN, LSTT, BANK),
    vary(MOBILENET, name="attention", memory={"write": "cross_attention"}),
    vary(MOBILENET, name="focal", memory={"write": "focal_modulation"}),
    vary(BANK, name="previous", memory={"policy": "previous"}),
    vary(BANK, name="growing", memory={"grows": True}),
]


@pytest.mark.parametrize(
    "base",
    [MOBILENET, *(pytest.param(base, marks=pytest.mark.campaign) for base in OTHERS)],
    ids=lambda base: base.name,
)
def test_every_network_trains_in_bfloat16_with_everything_on(base):
    config = changed(base, dropout=True, rematerialise=True)
    side = 33 if config.align_corners else 32
    frames, masks = jnp.zeros((3, side, side, 3), jnp.uint8), jnp.zeros((3, side, side), jnp.uint8)
    sample, shapes = Clip(frames, masks, jnp.int32(2)), variable_shapes(config)
    measure = jax.value_and_grad(loss_of(config, "bfloat16"), has_aux=True)
    traced = jax.make_jaxpr(measure, return_shape=True)
    program, ((loss, result), gradient) = traced(shapes, sample, FORCED, KEY)
    assert "bf16" in str(program)
    assert loss.dtype == result.loss.dtype == jnp.float32
    assert result.loss.shape == (3,)
    assert gradient == shapes
