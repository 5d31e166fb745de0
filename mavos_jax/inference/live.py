"""Live video: a shell that holds the state of a camera, a robot or an annotation tool."""

from collections import deque
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from mavos_jax.config import IGNORED
from mavos_jax.inference.functional import add_objects, init_state, remove_objects, step
from mavos_jax.inference.objects import ObjectIds
from mavos_jax.inference.source import as_array, check_mask, check_network
from mavos_jax.inference.state import Output, State
from mavos_jax.models.mavos import MAVOS, Variables


class Result(NamedTuple):
    """The latest mask, read-only uint8 [H, W], and by id what :class:`~mavos_jax.Output` says."""

    mask: np.ndarray
    confidence: dict[int, float]
    present: dict[int, bool]


class _Moment(NamedTuple):
    """Everything known after an operation; the state before a video's first frame is None."""

    before: State | None
    state: State
    frame: np.ndarray
    result: Result


class VideoSegmenter:
    """Segments a video as it comes; every method returns the latest frame's result.

    ``add`` and ``correct`` apply to the latest frame, which is then segmented again from the state
    before it. They can follow each other; objects that a mask shows get exactly its pixels, the
    others keep theirs. An object that loses all pixels in the frame that brought it is forgotten.
    """

    def __init__(
        self, model: MAVOS, variables: Variables, *, gap: int | None = None, history: int = 4
    ) -> None:
        """Holds a network; ``history`` is how many operations :meth:`undo` can take back.

        Each keeps a state alive. ``gap`` is the number of frames between two long-term writes.
        """
        check_network(model, variables)
        self._network, self._gap = (model, jax.device_put(variables)), gap
        self._past: deque[_Moment] = deque(maxlen=history + 1)

    @property
    def state(self) -> State:
        """The state after the latest frame, for :func:`~mavos_jax.step` and similar functions."""
        return self._latest.state

    def start(self, frame: np.ndarray, mask: np.ndarray) -> Result:
        """Starts a video, as :func:`~mavos_jax.init_state`."""
        frame = _fixed(frame)
        state = init_state(*self._network, frame, mask, gap=self._gap)
        self._past.clear()
        return self._keep(None, state, frame, mask)

    def step(self, frame: np.ndarray) -> Result:
        """Segments the next frame, as :func:`~mavos_jax.step`."""
        before, frame = self._latest.state, _fixed(frame)
        state, output = step(*self._network, before, frame)
        return self._keep(before, state, frame, output.mask, output)

    def correct(self, mask: np.ndarray, *, erase: bool = True) -> Result:
        """Replaces known objects in the latest frame, as :func:`~mavos_jax.correct`."""
        known = np.asarray(self.state.ids).tolist()
        unknown = sorted(set(np.unique(mask).tolist()) - {0, IGNORED, *known})
        if unknown:
            raise ValueError(f"mask: expected ids among {known}, found {unknown}; add takes others")
        return self._label(mask, erase)

    def add(self, mask: np.ndarray) -> Result:
        """Adds new objects in the latest frame, as :func:`~mavos_jax.add_objects`."""
        return self._label(mask, True)

    def remove(self, ids: int | Sequence[int]) -> Result:
        """Removes objects from the latest frame on, as :func:`~mavos_jax.remove_objects`.

        Those that this frame brought are forgotten by its next correction.
        """
        before, state, frame, (mask, confidence, present) = self._latest
        gone = np.atleast_1d(ids).tolist()
        state = remove_objects(state, ids)
        present = {i: seen and i not in gone for i, seen in present.items()}
        confidence = {i: 0.0 if i in gone else sure for i, sure in confidence.items()}
        result = Result(_fixed(np.where(np.isin(mask, gone), 0, mask)), confidence, present)
        self._past.append(_Moment(before, state, frame, result))
        return result

    def undo(self) -> Result:
        """Takes the last operation back, a step as well as a correction."""
        if len(self._past) < 2:
            raise ValueError("undo: expected an operation to take back, found none in the history")
        self._past.pop()
        return self._latest.result

    @property
    def _latest(self) -> _Moment:
        if not self._past:
            raise ValueError("expected start before other methods, found no video")
        return self._past[-1]

    def _label(self, mask: np.ndarray, erase: bool) -> Result:
        """Segments the latest frame again, given its result under a label."""
        before, state, frame, (found, *_) = self._latest
        mask = check_mask(mask, found.shape, "mask")
        ObjectIds().add(mask, "mask")  # refuses what is no id
        kept = np.where(np.isin(found, mask[(mask > 0) & (mask < IGNORED) & erase]), 0, found)
        label = np.where(mask > 0, mask, kept).astype(np.uint8)
        if before is None:
            state = init_state(*self._network, frame, label, gap=self._gap)
            return self._keep(None, state, frame, label)
        # Only the latest state knows what was removed, or shown again, in this frame.
        before = before._replace(shown=state.shown[: before.num_objects])
        after, output = add_objects(*self._network, before, frame, label, whole=True)
        return self._keep(before, after, frame, output.mask, output)

    def _keep(
        self,
        before: State | None,
        state: State,
        frame: np.ndarray,
        mask: np.ndarray | jax.Array,
        output: Output | None = None,
    ) -> Result:
        own: np.ndarray = _fixed(np.asarray(mask, np.uint8))
        ids = np.asarray(state.ids).tolist()
        present = dict.fromkeys(ids, False) | dict.fromkeys(np.unique(own).tolist(), True)
        confidence = [1.0] * len(ids) if output is None else np.asarray(output.confidence).tolist()
        result = Result(own, dict(zip(ids, confidence, strict=True)), {i: present[i] for i in ids})
        self._past.append(_Moment(before, state, frame, result))
        return result


def _fixed(array: Any) -> Any:
    """Returns a frame or a mask that nobody can change."""
    if isinstance(array, jax.Array):
        return array
    array = np.array(as_array(array, "frame"))
    array.setflags(write=False)
    return array
