"""Whole videos as an array, a stream or a batch; no memory on device or host grows with length."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Literal, overload

import numpy as np

from mavos_jax.inference.dispatch import Options, Result, run
from mavos_jax.inference.geometry import Augmentation, Sizes, geometries
from mavos_jax.inference.objects import CLAMP, ObjectIds, num_groups
from mavos_jax.inference.outputs import Judgement, LogitsForm, selected_like
from mavos_jax.inference.source import (
    Labels,
    Masks,
    Video,
    as_array,
    check_frames,
    check_labels,
    check_mask,
    check_network,
    check_sequence,
    checked_gap,
)
from mavos_jax.models.mavos import MAVOS, Variables

_ABSENT = np.float32(np.log(CLAMP / (1 - CLAMP)))
"""The merged logit of a group that is not there yet."""


@overload
def segment_video(
    model: MAVOS,
    variables: Variables,
    frames: Sequence[np.ndarray] | np.ndarray,
    mask: np.ndarray,
    *,
    labels: Labels | None = None,
    num_objects: int | None = None,
    gap: int | None = None,
    memorise_with: Masks | None = None,
    return_logits: Literal[False] = False,
) -> np.ndarray: ...


@overload
def segment_video(
    model: MAVOS,
    variables: Variables,
    frames: Sequence[np.ndarray] | np.ndarray,
    mask: np.ndarray,
    *,
    labels: Labels | None = None,
    num_objects: int | None = None,
    gap: int | None = None,
    memorise_with: Masks | None = None,
    return_logits: Literal[True],
) -> tuple[np.ndarray, np.ndarray]: ...


def segment_video(
    model: MAVOS,
    variables: Variables,
    frames: Sequence[np.ndarray] | np.ndarray,
    mask: np.ndarray,
    *,
    labels: Labels | None = None,
    num_objects: int | None = None,
    gap: int | None = None,
    memorise_with: Masks | None = None,
    return_logits: bool = False,
) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
    """Segments a video, given the mask of its first frame.

    Args:
      model: from ``load`` or ``build_model``.
      variables: the model's variables.
      frames: RGB, uint8 [T, H, W, 3]: an array, a memory map or any sequence of frames.
      mask: ids of the first frame's objects, integer [H, W]: 0 background, 255 ignored. It must
        show an object.
      labels: later masks by frame (1..T-1), of new objects or corrections of known ones: objects
        that one shows get exactly its pixels, the others keep theirs where it is zero; 255 where
        to ignore. Each makes its frame a reference and restarts the gap.
      num_objects: ``None`` numbers objects in order of appearance; a number says that the ids are
        1..num_objects and that all of them are in play from the start, seen or not.
      gap: frames between two long-term writes; by default the configuration's.
      memorise_with: ids [T, H, W] to memorise instead of the predictions of frames 1..T-1, with
        the labels pasted over them; ids that ``mask`` or an earlier label showed.
      return_logits: whether to return logits as well.

    Returns:
      Masks, uint8 [T, H, W]: the first as given, at frames with labels the prediction with the
      label over it. With ``return_logits`` also float32 logits of frames 1..T-1. If one group of
      ten holds all objects: [T-1, h4, w4, 11] at stride 4 of the network size, -1e10 where not in
      use. Else the merged logits [T-1, ceil(H/4), ceil(W/4), 1 + 10 groups] at rows and columns
      0, 4, 8, ... of the source; a group that comes with a later label is at logit(1e-5) before.

    Raises:
      ValueError: an argument is not as described.
    """
    check_network(model, variables)
    check_frames(frames)
    if not (hasattr(frames, "__len__") and hasattr(frames, "__getitem__")):
        raise ValueError(
            f"frames: expected an array or a sequence, found a {type(frames).__name__}; "
            "stream_video takes any iterable"
        )
    num_frames = len(frames)
    if num_frames == 0:
        raise ValueError("frames: expected at least one frame, found none")
    labels = {} if labels is None else labels
    check_labels(labels)
    late = sorted(t for t in labels if t >= num_frames)
    if late:
        raise ValueError(f"labels: expected frames 1..{num_frames - 1}, found {late}")
    if memorise_with is not None:
        expected = f"{num_frames} masks, one per frame"
        check_sequence("memorise_with", memorise_with, expected, num_frames)
    groups = _final_groups(mask, labels, num_objects) if return_logits else 0
    form: LogitsForm = "none" if groups == 0 else "stride4" if groups == 1 else "merged"
    chunk_frames = model.config.inference.chunk_frames
    options = Options(checked_gap(model, gap), chunk_frames, logits_form=form)
    video = Video((frames[t] for t in range(num_frames)), mask, labels, num_objects, memorise_with)
    results = _run_one(model, variables, video, options)
    first, _ = next(results)
    given = {t: check_mask(labels[t], first.shape, f"labels[{t}]") for t in labels}
    _final_groups(first, given, num_objects)  # an error later on would cost the masks before it
    masks = np.empty((num_frames, *first.shape), np.uint8)
    masks[0] = first
    entering = geometries(model.config, Sizes(first.shape, first.shape))[0].network_size
    like = selected_like(entering, first.shape, groups, form)
    logits = None if like is None else np.full((num_frames - 1, *like.shape), _ABSENT, np.float32)
    for t, (ids, frame_logits) in enumerate(results, start=1):
        masks[t] = ids
        if logits is not None and isinstance(frame_logits, np.ndarray):
            logits[t - 1, ..., : frame_logits.shape[-1]] = frame_logits
    return masks if logits is None else (masks, logits)


@overload
def stream_video(
    model: MAVOS,
    variables: Variables,
    frames: Iterable[np.ndarray],
    mask: np.ndarray,
    *,
    labels: Labels | None = None,
    num_objects: int | None = None,
    gap: int | None = None,
    memorise_with: Masks | None = None,
    return_confidence: Literal[False] = False,
) -> Iterator[np.ndarray]: ...


@overload
def stream_video(
    model: MAVOS,
    variables: Variables,
    frames: Iterable[np.ndarray],
    mask: np.ndarray,
    *,
    labels: Labels | None = None,
    num_objects: int | None = None,
    gap: int | None = None,
    memorise_with: Masks | None = None,
    return_confidence: Literal[True],
) -> Iterator[tuple[np.ndarray, dict[int, Judgement]]]: ...


def stream_video(
    model: MAVOS,
    variables: Variables,
    frames: Iterable[np.ndarray],
    mask: np.ndarray,
    *,
    labels: Labels | None = None,
    num_objects: int | None = None,
    gap: int | None = None,
    memorise_with: Masks | None = None,
    return_confidence: bool = False,
) -> Iterator[Any]:
    """Segments a video frame by frame, at the lowest latency.

    The arguments are :func:`segment_video`'s, but ``frames`` is any iterable, even an endless one,
    and ``labels`` may get further masks of later frames while it runs. They are checked when the
    first mask is asked for, frames and labels as they come.

    Yields:
      uint8 [H, W] masks; the mask of frame t before frame t + 1 is pulled. With
      ``return_confidence`` beside each a :class:`~mavos_jax.Judgement` of every object by id: of
      the prediction, also where a label lies over it.
    """
    check_network(model, variables)
    form: LogitsForm = "confidence" if return_confidence else "none"
    options = Options(checked_gap(model, gap), 1, looks_ahead=False, logits_form=form)
    labels = {} if labels is None else labels
    if memorise_with is not None:
        check_sequence("memorise_with", memorise_with, "masks by frame")
    video = Video(frames, mask, labels, num_objects, memorise_with)
    for ids, found in _run_one(model, variables, video, options):
        yield (ids, found[0]) if isinstance(found, tuple) else ids


def stream_masks(
    model: MAVOS,
    variables: Variables,
    frames: Iterable[np.ndarray],
    mask: np.ndarray,
    *,
    labels: Labels | None = None,
    num_objects: int | None = None,
    gap: int | None = None,
    chunk_frames: int | None = None,
    augmentation: Augmentation = Augmentation(),  # noqa: B008 - it cannot be changed
    output_size: tuple[int, int] | None = None,
    on_frame: Callable[[int, float], None] | None = None,
    on_judged: Callable[[int, dict[int, Judgement], dict[int, np.ndarray]], None] | None = None,
    soft_masks: bool = False,
) -> Iterator[np.ndarray]:
    """Segments a video chunk by chunk: :func:`stream_video` for throughput.

    Frames are pulled up to two chunks ahead of the masks, so that decoding overlaps computing.
    When ``frames`` raises, the masks of all frames before come first.

    ``augmentation`` are the views of every frame whose mean decides. The masks and ``labels`` have
    the ``output_size``, by default the frames'. ``on_frame`` gets the number of each frame and the
    seconds that it took once it was on the device; frames are then taken one at a time.
    Before a frame's mask is out, ``on_judged`` gets its number, how sure the first view is of each
    object, and with ``soft_masks`` 255 times each object's probability, uint8 [H, W] by id: the
    mask comes from these, where no label lies over it.
    """
    check_network(model, variables)
    options = Options(
        gap=checked_gap(model, gap),
        chunk_frames=1 if on_frame else chunk_frames or model.config.inference.chunk_frames,
        looks_ahead=on_frame is None,
        logits_form="none" if on_judged is None else "soft" if soft_masks else "confidence",
        augmentation=augmentation,
        on_frame=on_frame,
    )
    labels = {} if labels is None else labels
    video = Video(frames, mask, labels, num_objects, output_size=output_size)
    for index, (ids, found) in enumerate(_run_one(model, variables, video, options)):
        if on_judged is not None and isinstance(found, tuple):
            on_judged(index, *found)
        yield ids


def segment_batch(
    model: MAVOS,
    variables: Variables,
    videos: Sequence[Iterable[np.ndarray]],
    masks: Sequence[np.ndarray] | np.ndarray,
    *,
    num_objects: Sequence[int] | None = None,
    gap: int | None = None,
) -> list[np.ndarray]:
    """Segments several videos in step, for throughput: :func:`segment_video` of each.

    ``videos`` are all of one size; ``masks`` and ``num_objects`` have an entry for each. Every
    video gets the masks that it would get by itself, up to rounding. The batch computes until its
    longest video ends, and only then raises errors in frames; group videos of similar length.

    Returns:
      The masks of each video, uint8 [T, H, W] with its own T.

    Raises:
      ValueError: an argument is not as described; ``videos[i]`` names the video.
    """
    check_network(model, variables)
    check_sequence("videos", videos, "a list of videos")
    count = len(videos)
    if count == 0:
        raise ValueError("videos: expected at least one video, found none")
    objects = [None] * count if num_objects is None else num_objects
    for name, values in {"masks": masks, "num_objects": objects}.items():
        check_sequence(name, values, f"{count}, one for each video", count)
    options = Options(checked_gap(model, gap), model.config.inference.chunk_frames)
    batch = [
        Video(frames, mask, num_objects=most, number=number)
        for number, (frames, mask, most) in enumerate(zip(videos, masks, objects, strict=True))
    ]
    steps = zip(*run(model, variables, batch, options), strict=True)
    return [np.stack([result[0] for result in video if result is not None]) for video in steps]


def _run_one(
    model: MAVOS, variables: Variables, video: Video, options: Options
) -> Iterator[Result]:
    for (result,) in run(model, variables, [video], options):
        if result is not None:
            yield result


def _final_groups(mask: np.ndarray, labels: Labels, num_objects: int | None) -> int:
    ids = ObjectIds(num_objects)
    ids.add(as_array(mask, "mask"), "mask")
    for t in sorted(labels):
        ids.add(as_array(labels[t], f"labels[{t}]"), f"labels[{t}]")
    return num_groups(ids.num_objects)
