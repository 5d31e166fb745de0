import functools
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp
import pytest
from refusals import refuse
from small_configs import MOBILENET, vary

import mavos_jax
from mavos_jax.inference import step as transition
from mavos_jax.inference.frame import prepare
from mavos_jax.inference.geometry import Sizes, geometries
from mavos_jax.models import prepare as prepare_module
from mavos_jax.models.mavos import init_variables

GAP = 3


@pytest.fixture(scope="module")
def functions(tiny):
    """The pure functions, given the network."""
    names = ("init_state", "step", "correct", "add_objects")
    return {name: functools.partial(getattr(mavos_jax, name), *tiny) for name in names}


@pytest.fixture(scope="module")
def start(functions, clip):
    frames, mask = clip
    return functions["init_state"](frames[0], mask, gap=GAP)


def run(functions, state, frames):
    masks = []
    for frame in frames:
        state, output = functions["step"](state, frame)
        masks.append(np.asarray(output.mask))
    return state, np.stack(masks)


@pytest.mark.newest
def test_steps_scan_and_stream_agree_bit_for_bit(functions, start, stream, tiny, clip):
    frames, _ = clip
    expected = np.stack(list(stream(*clip, gap=GAP)))[1:]
    state, masks = run(functions, start, frames[1:])
    np.testing.assert_array_equal(masks, expected)
    assert set(np.unique(masks)) <= {0, 3, 8}

    @jax.jit
    def scan(variables, state, frames):
        step = functools.partial(mavos_jax.step, tiny[0], variables)
        return jax.lax.scan(step, state, frames)

    scanned, output = scan(tiny[1], start, frames[1:])
    np.testing.assert_array_equal(output.mask, expected)
    jax.tree.map(np.testing.assert_array_equal, scanned, state)


def test_one_trace_for_any_number_of_steps_and_a_state_of_one_size(
    functions, start, clip, count_compilations
):
    frames, _ = clip
    state, _ = functions["step"](start, frames[1])
    sizes = {sum(x.nbytes for x in jax.tree.leaves(state))}
    with count_compilations() as count:
        for t in range(100):
            state, _ = functions["step"](state, frames[t % len(frames)])
            sizes.add(sum(x.nbytes for x in jax.tree.leaves(state)))
    assert count.compilations == 0
    assert len(sizes) == 1


@pytest.mark.campaign
def test_videos_are_mapped(functions, tiny, clip):
    frames, mask = clip
    videos = [frames, frames[::-1], frames[:, ::-1], frames[:, :, ::-1]]
    masks = [mask, mask, mask[::-1], mask[:, ::-1]]
    starts, expected = [], []
    for video, first in zip(videos, masks, strict=True):
        starts.append(functions["init_state"](video[0], first, gap=GAP))
        expected.append(run(functions, starts[-1], video[1:6])[1])
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *starts)
    step = jax.jit(jax.vmap(functools.partial(mavos_jax.step, *tiny)))
    for t in range(1, 6):
        stacked, output = step(stacked, np.stack([video[t] for video in videos]))
        for found, alone in zip(output.mask, expected, strict=True):
            np.testing.assert_array_equal(found, alone[t - 1])


def test_labels_are_corrections_and_added_objects(functions, start, stream, clip, late_label):
    frames, mask = clip
    correction = np.zeros_like(mask)
    correction[5:20, 20:40] = 3
    labels = {4: correction, 7: late_label}
    masks, judged = zip(*stream(*clip, gap=GAP, labels=labels, return_confidence=True), strict=True)
    assert judged[0] == {3: (1, 1, True), 8: (1, 1, True)}
    expected, state, masks = np.stack(masks), start, [mask]
    for t, frame in enumerate(frames[1:], start=1):
        name = {4: "correct", 7: "add_objects"}.get(t, "step")
        extra = (labels[t],) if t in labels else ()
        ids = np.asarray(state.ids).tolist()
        state, output = functions[name](state, frame, *extra)
        masks.append(np.asarray(output.mask))
        assert list(judged[t]) == ids
        columns = output.confidence, output.margin, output.present
        by_object = np.transpose([np.asarray(column)[: len(ids)] for column in columns])
        np.testing.assert_allclose(list(judged[t].values()), by_object, rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(np.stack(masks), expected)
    assert np.asarray(state.ids).tolist() == [3, 8, *range(20, 31)]
    assert (masks[4] == 3)[correction == 3].all()
    assert not (masks[4] == 3)[correction != 3].any()


def test_a_correction_may_only_add(functions, start, clip):
    frames, mask = clip
    correction = np.zeros_like(mask)
    correction[:4, :4] = 8
    _, predicted = functions["step"](start, frames[1])
    _, output = functions["correct"](start, frames[1], correction, erase=False)
    expected = np.where(correction > 0, correction, predicted.mask)
    np.testing.assert_array_equal(output.mask, expected)
    assert (expected[4:] == 8).any()


def test_removed_objects_are_gone_until_they_are_shown(functions, start, clip):
    frames, mask = clip
    _, kept = run(functions, start, frames[1:5])
    state = mavos_jax.remove_objects(start, 8)
    state, masks = run(functions, state, frames[1:5])
    np.testing.assert_array_equal(masks, np.where(kept == 8, 0, kept))
    assert set(np.unique(kept)) == {0, 3, 8}
    back = np.where(mask == 8, 8, 0).astype(np.uint8)
    state, output = functions["correct"](state, frames[5], back)
    assert (np.asarray(output.mask) == 8)[mask == 8].all()
    assert np.asarray(state.shown).all()


@pytest.fixture(scope="module")
def three_references(tiny):
    model, variables = tiny
    config = vary(model.config, memory={"references": 3, "write_when": "confident"})
    network = model.clone(config=config), variables
    names = ("init_state", "step", "add_objects")
    return {name: functools.partial(getattr(mavos_jax, name), *network) for name in names}


def test_further_references_stay_and_doubtful_writes_wait(
    three_references, start, clip, late_label
):
    frames, mask = clip
    state = three_references["init_state"](frames[0], mask, gap=2)

    def held(state):
        """Returns the first key of every place, and that of the short-term memory."""
        (memory,) = state.video.memories
        first, places = memory.short_term[0].key[0, 0], memory.long_term[0].key[0, :, 0]
        return np.asarray(places)[:: len(memory.short_term[0].key[0])].tolist(), float(first[0])

    first = held(state)[0]
    assert first[2:] == [0, 0]
    kept = []
    for number, place in enumerate((None, None, None, 1, None)):
        state, _ = three_references["step"](state, frames[1 + number])
        state = mavos_jax.keep_reference(state, place=place)
        kept.append(held(state)[1])
    assert held(state)[0][1:] == [first[1], kept[4], kept[3]]
    assert int(state.video.memories[0].num_writes[0]) == 0
    label = np.where(late_label > 22, 0, late_label)
    state, _ = three_references["add_objects"](state, frames[6], label)
    assert held(state)[0][2:] == [kept[4], held(state)[1]]
    writes = []
    for _ in range(7):  # no object is sure with fresh weights: writes wait for three gaps
        state, _ = three_references["step"](state, frames[7])
        writes.append(int(state.video.memories[0].num_writes[0]))
    assert writes == [1, 1, 1, 1, 1, 2, 2]
    for place in (2, jnp.int32(-1)):
        refuse(f"0 to 1, found {place}", mavos_jax.keep_reference, state, place=place)
    refuse("above 1", mavos_jax.keep_reference, start)


def test_ids_may_be_traced_if_their_number_is_known(functions, tiny, stream, clip):
    frames, mask = clip
    mask = np.searchsorted([0, 3, 8], mask).astype(np.uint8)

    @jax.jit
    def run(variables, frames, mask):
        own = tiny[0], variables
        state = mavos_jax.init_state(*own, frames[0], mask, num_objects=2, gap=GAP)
        state, _ = mavos_jax.step(*own, state, frames[1])
        _, output = mavos_jax.correct(*own, state, frames[2], mask)
        return output.mask

    labelled = stream(frames[:3], mask, num_objects=2, gap=GAP, labels={2: mask})
    np.testing.assert_array_equal(run(tiny[1], frames, mask), list(labelled)[2])


def test_variables_may_be_constants_of_the_callers_program(clip):
    """Frozen normalisations are folded once, and no tracer is kept."""
    frames, mask = clip
    model = mavos_jax.build_model(MOBILENET)
    network = model, jax.device_put(init_variables(model))
    state = mavos_jax.init_state(*network, frames[0], mask)
    prepare_module._KEPT.clear()
    _, traced = jax.jit(functools.partial(mavos_jax.step, *network))(state, frames[1])
    _, output = mavos_jax.step(*network, state, jax.device_put(frames[1]))
    np.testing.assert_array_equal(traced.mask, output.mask)


def test_confidence_of_each_object(functions, start, clip):
    frames, _ = clip
    _, output = functions["step"](start, frames[1], return_logits=True)
    probabilities = np.asarray(jax.nn.softmax(output.logits, axis=-1))
    slots, ordered = probabilities.argmax(-1), np.sort(probabilities, axis=-1)
    assert output.present.any()
    for i, is_present in enumerate(output.present):
        inside = slots == i + 1
        own = probabilities[..., i + 1]
        lead = (ordered[..., -1] - ordered[..., -2])[inside]
        assert is_present == inside.any()
        expected = own[inside].mean() if is_present else 0.8 * (1 - own.max())
        np.testing.assert_allclose(output.confidence[i], expected, rtol=1e-5)
        np.testing.assert_allclose(output.margin[i], lead.mean() if is_present else 0, rtol=1e-4)


@pytest.mark.campaign
def test_gradient_is_that_of_the_transition_that_training_uses(tiny, clip):
    frames, mask = clip
    model, variables = tiny
    (view,) = geometries(model.config, Sizes(mask.shape, mask.shape))
    slots = jnp.asarray(np.searchsorted([0, 3, 8], mask))

    def by_state(params):
        own = model, {**variables, "params": params}
        state = mavos_jax.init_state(*own, frames[0], slots, num_objects=2)
        state, first = mavos_jax.step(*own, state, frames[1])
        _, output = mavos_jax.step(*own, state, frames[2], return_logits=True)
        assert output.logits is not None
        return jax.nn.logsumexp(output.logits[..., :3], axis=-1).mean(), first.mask

    def by_transition(params, predicted):
        own = model, {**variables, "params": params}
        views = [transition.encode(*own, prepare(view, jnp.asarray(x))) for x in frames[:3]]
        memory = transition.start(*own, views[0], view.given_mask(slots))
        _, pending = transition.segment(*own, memory, views[1])
        known = view.predicted_mask(predicted)
        memory = transition.memorise(*own, memory, pending, known, is_due=False)
        logits, _ = transition.segment(*own, memory, views[2])
        return jax.nn.logsumexp(logits[..., :3], axis=-1).mean()

    params = variables["params"]
    found, predicted = jax.jit(jax.grad(by_state, has_aux=True))(params)
    expected = jax.jit(jax.grad(by_transition))(params, predicted)
    for path, value in jax.tree.leaves_with_path(found):
        wanted = functools.reduce(lambda tree, key: tree[key.key], path, expected)
        np.testing.assert_allclose(value, wanted, rtol=2e-3, atol=1e-6, err_msg=str(path))
        assert np.isfinite(value).all()
        # No frame is modulated before the third.
        assert path[0].key == "memory_modulation" or (np.asarray(value) != 0).any()


def test_a_state_is_saved_sent_and_restored(functions, start, clip, tmp_path):
    frames, _ = clip
    _, expected = run(functions, start, frames[1:4])
    with ocp.StandardCheckpointer() as checkpointer:
        checkpointer.save(tmp_path / "state", start)
        checkpointer.wait_until_finished()
        restored = checkpointer.restore(tmp_path / "state", start)
    for state in (restored, pickle.loads(pickle.dumps(start))):
        np.testing.assert_array_equal(run(functions, state, frames[1:4])[1], expected)


def test_wrong_arguments_are_one_line(functions, tiny, start, clip):
    frames, mask = clip
    model, variables = tiny
    bank = model.clone(config=vary(model.config, memory={"policy": "bank", "capacity": 3}))
    cases = [
        (lambda: mavos_jax.step(bank, variables, start, frames[1]), "state: .* another"),
        (lambda: functions["step"](start, frames[1][:40]), "50x66 .* found 40x66"),
        (lambda: functions["step"](start, frames[1] / 255), "uint8 RGB"),
        (lambda: functions["correct"](start, frames[1], np.full_like(mask, 77)), "found .77."),
        (lambda: functions["correct"](start, frames[1], mask[:40]), "50x66 .* found 40x66"),
        (lambda: mavos_jax.remove_objects(start, [3, 5]), "found .5."),
        (lambda: functions["init_state"](frames[0], mask * 0), "only background"),
        (lambda: functions["init_state"](frames[0], mask, num_objects=2), "found .3, 8."),
        (lambda: jax.jit(functions["init_state"])(frames[0], mask), "num_objects: "),
        (lambda: jax.jit(functions["add_objects"])(start, frames[1], mask), "traced"),
    ]
    for call, message in cases:
        refuse(message, call)
