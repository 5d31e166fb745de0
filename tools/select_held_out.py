"""Makes and checks the list of held-out clips, ``mavos_jax/generated/held_out.json``.

python tools/select_held_out.py [--write]
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import importlib.resources
import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mavos_jax.generated.recipe import EVENTFUL
from mavos_jax.generated.scene import draw_mask
from mavos_jax.generated.sets import HELD_OUT_SEEDS, held_out_video, manifest
from mavos_jax.generated.video import GENERATOR_VERSION, SyntheticVideo

NUM_CLIPS = 48
# What a clip must contain.
MIN_ABSENCE = 4
MIN_RETURN = 30
MIN_FIRST_AREA = 300
MAX_COPY_FIRST = 0.4


class Absence(NamedTuple):
    """Frames in which an object that was seen before and is seen again is not seen at all.

    Attributes:
      object: its id.
      kind: "exit" if it is outside the frame in most of them, else "occlusion".
      first: the first of the frames.
      last: the last of the frames.
      returned: the first frame in which at least MIN_RETURN of its pixels are seen again.
    """

    object: int
    kind: str
    first: int
    last: int
    returned: int


class Likeness(NamedTuple):
    """A body that looks like a labelled object.

    Attributes:
      object: id of the object.
      body: index of the look-alike among the scene's bodies.
      label: id of the look-alike, 0 if it is unlabelled.
      frames: in which at least MIN_RETURN pixels of both are seen.
    """

    object: int
    body: int
    label: int
    frames: int


def select(num_clips: int = NUM_CLIPS) -> dict[str, Any]:
    """Searches the seeds for clips that contain what they must, and lists the first."""
    clips: list[dict[str, Any]] = []
    seeds = iter(HELD_OUT_SEEDS)
    while len(clips) < num_clips:
        video = held_out_video(next(seeds), 2 + len(clips) % 3)
        if fits(video):
            clips.append(describe(video))
    score = round(float(np.mean([clip["copy_first"] for clip in clips])), 4)
    head = {"generator": GENERATOR_VERSION, "recipe": dataclasses.asdict(EVENTFUL)}
    # As it will be read: tuples are lists there.
    return json.loads(json.dumps({**head, "copy_first": score, "clips": clips}))


def fits(video: SyntheticVideo) -> bool:
    """Whether a clip contains what it must."""
    if all(body.original is None for body in video.scene.bodies):
        return False
    masks = np.stack([video.mask(index) for index in range(len(video))])
    first = np.bincount(masks[0].ravel(), minlength=video.num_objects + 1)[1:]
    return (
        int(first.min()) >= MIN_FIRST_AREA
        and copy_first(masks, video.num_objects) <= MAX_COPY_FIRST
        and bool(absences(video, masks))
        and bool(lookalikes(video))
    )


def describe(video: SyntheticVideo) -> dict[str, Any]:
    """Returns what the list says of a clip: seed, sizes, events, copy-first score and checksums.

    The checksums hold from Pillow 11.3 on; earlier releases fill outlines a little differently.
    """
    samples = [video[index] for index in range(len(video))]
    masks = np.stack([sample.mask for sample in samples])
    frames = np.stack([sample.frame for sample in samples])
    return {
        "seed": video.seed,
        "num_frames": video.num_frames,
        "height": video.height,
        "width": video.width,
        "num_objects": video.num_objects,
        "absences": [absence._asdict() for absence in absences(video, masks)],
        "lookalikes": [likeness._asdict() for likeness in lookalikes(video)],
        "copy_first": round(copy_first(masks, video.num_objects), 4),
        "masks_sha256": hashlib.sha256(masks.tobytes()).hexdigest(),
        "frames_sha256": hashlib.sha256(frames.tobytes()).hexdigest(),
    }


def absences(video: SyntheticVideo, masks: np.ndarray) -> list[Absence]:
    """Returns the absences of at least MIN_ABSENCE frames that end in a return."""
    found = []
    for identity in range(1, video.num_objects + 1):
        areas = (masks == identity).sum((1, 2))
        start = None
        for index, area in enumerate(areas.tolist()):
            if area == 0:
                start = index if start is None else start
                continue
            later = np.flatnonzero(areas[index:] >= MIN_RETURN)
            if start is not None and index - start >= MIN_ABSENCE and len(later):
                kind = _kind(video, identity, range(start, index))
                found.append(Absence(identity, kind, start, index - 1, index + int(later[0])))
            start = None
    return found


def _kind(video: SyntheticVideo, identity: int, frames: range) -> str:
    alone = video.scene._replace(far_to_near=(identity - 1,))
    size, labels = (video.height, video.width), (1,) * len(video.scene.bodies)
    outside = [not draw_mask(alone, index, size, labels).any() for index in frames]
    return "exit" if sum(outside) > len(outside) / 2 else "occlusion"


def lookalikes(video: SyntheticVideo) -> list[Likeness]:
    """Returns look-alikes of labelled objects that are seen beside them for MIN_ABSENCE frames."""
    bodies = video.scene.bodies
    labels, size = tuple(range(1, len(bodies) + 1)), (video.height, video.width)
    masks = [draw_mask(video.scene, index, size, labels) for index in range(len(video))]
    areas = np.stack([np.bincount(mask.ravel(), minlength=256) for mask in masks])
    seen = areas >= MIN_RETURN
    found = []
    for number, body in enumerate(bodies):
        if body.original is None:
            continue
        together = int((seen[:, number + 1] & seen[:, body.original + 1]).sum())
        if together >= MIN_ABSENCE:
            label = number + 1 if number < video.num_objects else 0
            found.append(Likeness(body.original + 1, number, label, together))
    return found


def copy_first(masks: np.ndarray, num_objects: int) -> float:
    """Returns the mean region similarity of the first mask copied onto every frame.

    Over the objects and the frames 1 to T - 2, as DAVIS counts them; an object that is absent from
    both scores 1.
    """
    scores = []
    for identity in range(1, num_objects + 1):
        inside = masks == identity
        first, rest = inside[0], inside[1:-1]
        union = (first | rest).sum((1, 2))
        scores.append(np.where(union == 0, 1.0, (first & rest).sum((1, 2)) / np.maximum(union, 1)))
    return float(np.mean(scores))


def main() -> None:
    """Selects the clips, writes or compares the list, and says whether it is the same."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="select the clips and write the list")
    arguments = parser.parse_args()
    selected = select()
    if arguments.write:
        path = Path(str(importlib.resources.files("mavos_jax.generated"))) / "held_out.json"
        path.write_text(json.dumps(selected, indent=1) + "\n", encoding="utf-8")
    is_same = selected == manifest()
    print(
        f"{len(selected['clips'])} clips {'as listed' if is_same else 'that differ from the list'}"
    )
    raise SystemExit(not is_same)


if __name__ == "__main__":
    main()
