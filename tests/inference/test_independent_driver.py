import functools

import jax
import jax.numpy as jnp
import numpy as np
from small_configs import MOBILENET, vary
from whole_maps import resize_cubic, resize_nearest

import mavos_jax
from mavos_jax.inference import step
from mavos_jax.inference.frame import normalise
from mavos_jax.models.mavos import init_variables
from mavos_jax.models.resize import network_size, resize_bilinear

GAP = 3


def merged_argmax(full):
    """The likeliest slot of all groups, from their upsampled logits."""
    if len(full) == 1:
        return full[0].argmax(axis=-1)
    probabilities = [np.asarray(jax.nn.softmax(x, axis=-1)) for x in full]
    background = np.prod([p[..., :1] for p in probabilities], axis=0)
    merged = np.concatenate([background, *(p[..., 1:] for p in probabilities)], axis=-1)
    clamped = np.clip(merged, 1e-5, 1 - 1e-5)
    return np.log(clamped / (1 - clamped)).argmax(axis=-1)


class Driver:
    """Segments a video with lists and counters where the package has arrays and scans."""

    def __init__(self, model, variables, size):
        self.model, self.size, self.ids = model, size, []
        self.network_size = network_size(
            *size,
            align_corners=model.config.align_corners,
            max_long_edge=model.config.inference.max_long_edge,
        )
        self.encode = jax.jit(lambda x: step.encode(model, variables, self.prepare(x)))
        steps = (step.start, step.segment, step.memorise, step.memorise_reference)
        self.start, self.segment, self.memorise, self.refer = (
            jax.jit(functools.partial(one, model, variables)) for one in steps
        )

    def prepare(self, frame):
        return normalise(resize_cubic(frame.astype(jnp.float32), self.network_size))

    def slots(self, mask):
        self.ids += [int(i) for i in np.unique(mask) if i not in (0, 255, *self.ids)]
        out = np.where(mask == 255, 255, 0)
        for slot, name in enumerate(self.ids, start=1):
            out[mask == name] = slot
        return out

    def own(self, slots, group):
        """A group's part of the slots, at network size."""
        first = 10 * group
        is_own = (slots > first) & (slots <= first + 10)
        local = np.where(slots == 255, 255, np.where(is_own, slots - first, 0))
        return resize_nearest(jnp.asarray(local), self.network_size)

    def predict(self, results):
        full = []
        for group, (logits, _) in enumerate(results):
            logits = np.array(logits)
            logits[..., 1 + min(10, len(self.ids) - 10 * group) :] = -1e10
            corners = self.model.config.align_corners
            full.append(resize_bilinear(jnp.asarray(logits), self.size, align_corners=corners))
        return merged_argmax([np.asarray(x) for x in full])

    def run(self, frames, mask, labels):
        slots, since = self.slots(mask), 0
        groups = range(-(-len(self.ids) // 10))
        features = self.encode(jnp.asarray(frames[0]))
        memories = [self.start(features, self.own(slots, group)) for group in groups]
        yield mask
        for t, frame in enumerate(frames[1:], start=1):
            features = self.encode(jnp.asarray(frame))
            results = [self.segment(memory, features) for memory in memories]
            found = self.predict(results)
            if t in labels:
                label = self.slots(labels[t])
                shown = np.setdiff1d(label, (0, 255))  # these lose what the label leaves out
                found = np.where(label, label, np.where(np.isin(found, shown), 0, found))
                groups = range(-(-len(self.ids) // 10))
                parts = [self.own(found, group) for group in groups]
                old = zip(memories, parts, strict=False)
                new = parts[len(memories) :]
                memories = [self.refer(memory, features, part) for memory, part in old]
                memories += [self.start(features, part) for part in new]
                since = 0
            else:
                since += 1
                is_due = jnp.bool_(since == GAP)
                memories = [
                    self.memorise(memory, pending, self.own(found, group), is_due=is_due)
                    for group, memory, (_, pending) in zip(groups, memories, results, strict=True)
                ]
                since %= GAP
            names = np.array([0, *self.ids, *[255] * (255 - len(self.ids))], np.uint8)
            yield names[found]


def test_labels_groups_gaps_and_ignored_pixels(clip, late_label):
    frames, mask = clip
    mask = mask.copy()
    mask[:3] = 255
    known = np.zeros_like(mask)
    known[40:48, :20], known[30:33] = 8, 255
    labels = {4: known, 5: late_label}
    model = mavos_jax.build_model(vary(MOBILENET, elstt={"num_blocks": 1}))
    variables = init_variables(model)
    masks = mavos_jax.segment_video(model, variables, frames, mask, labels=labels, gap=GAP)
    expected = np.stack(list(Driver(model, variables, mask.shape).run(frames, mask, labels)))
    assert (masks != expected).sum() <= 1  # the merging of groups may round one tie otherwise
    assert len(np.unique(masks)) > 5
