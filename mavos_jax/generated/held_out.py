"""The held-out set: generated clips for evaluation that no training ever draws.

Every clip has a labelled object that is hidden or away for some frames and then returns, and a
look-alike of a labelled object beside it. The manifest ``held_out.json`` lists the clips; it is
made and checked by::

    python -m mavos_jax.generated.held_out [--write]

Training draws its seeds from ``TRAINING_SEEDS``; seed 0 is the demonstration's.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import importlib.resources
import json
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mavos_jax.generated.drawing import draw_mask
from mavos_jax.generated.recipe import EVENTFUL
from mavos_jax.generated.video import GENERATOR_VERSION, SyntheticVideo

TRAINING_SEEDS = range(1, 2**29)
HELD_OUT_SEEDS = range(10**9, 10**9 + 100_000)
_HEAD = {"generator": GENERATOR_VERSION, "recipe": dataclasses.asdict(EVENTFUL)}
NUM_CLIPS, NUM_FRAMES, SIDE = 48, 24, 192
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
      first: frame of the absence.
      last: frame of the absence.
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


def held_out_videos() -> tuple[SyntheticVideo, ...]:
    """The clips that the manifest lists."""
    return tuple(_video(clip["seed"], clip["num_objects"]) for clip in manifest()["clips"])


def manifest() -> dict:
    """The committed manifest."""
    file = importlib.resources.files("mavos_jax.generated").joinpath("held_out.json")
    return json.loads(file.read_text(encoding="utf-8"))


def describe(video: SyntheticVideo) -> dict:
    """What the manifest says of a clip: seed, sizes, events, copy-first score and checksums.

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
    """Absences of at least MIN_ABSENCE frames that end in a return.

    Args:
      video: the clip.
      masks: its masks, uint8 ids [T, H, W].
    """
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


def lookalikes(video: SyntheticVideo) -> list[Likeness]:
    """Look-alikes of labelled objects that are seen beside them in at least MIN_ABSENCE frames."""
    bodies = video.scene.bodies
    copies = [(n, body.original) for n, body in enumerate(bodies) if body.original is not None]
    if not copies:
        return []
    labels = tuple(range(1, len(bodies) + 1))
    size = (video.height, video.width)
    areas = np.stack(
        [
            np.bincount(draw_mask(video.scene, index, size, labels).ravel(), minlength=256)
            for index in range(len(video))
        ]
    )
    seen = areas >= MIN_RETURN
    found = []
    for number, original in copies:
        together = int((seen[:, number + 1] & seen[:, original + 1]).sum())
        if together >= MIN_ABSENCE:
            label = number + 1 if number < video.num_objects else 0
            found.append(Likeness(original + 1, number, label, together))
    return found


def copy_first(masks: np.ndarray, num_objects: int) -> float:
    """Mean region similarity of the first mask copied onto every frame.

    Over the objects and the frames 1 to T - 2, as DAVIS counts them; an object that is absent from
    both scores 1.

    Args:
      masks: uint8 ids [T, H, W].
      num_objects: objects, with ids 1 to ``num_objects``.
    """
    scores = []
    for identity in range(1, num_objects + 1):
        inside = masks == identity
        first, rest = inside[0], inside[1:-1]
        union = (first | rest).sum((1, 2))
        scores.append(np.where(union == 0, 1.0, (first & rest).sum((1, 2)) / np.maximum(union, 1)))
    return float(np.mean(scores))


def select() -> dict:
    """Searches HELD_OUT_SEEDS for clips that contain what they must; returns the manifest."""
    clips = []
    for number in HELD_OUT_SEEDS:
        if len(clips) == NUM_CLIPS:
            break
        video = _video(number, 2 + len(clips) % 3)
        if _fits(video):
            clips.append(describe(video))
    score = round(float(np.mean([clip["copy_first"] for clip in clips])), 4)
    return {**_HEAD, "copy_first": score, "clips": clips}


def problems(listed: dict) -> list[str]:
    """Redraws the clips that a manifest lists and says in words what is no longer so."""
    now = json.loads(json.dumps(_HEAD))
    found = [f"{field} differs from the manifest's" for field in now if listed[field] != now[field]]
    for clip in listed["clips"]:
        redrawn = json.loads(json.dumps(describe(_video(clip["seed"], clip["num_objects"]))))
        for field in clip:
            if clip[field] != redrawn[field]:
                found.append(f"seed {clip['seed']}: {field} differs from the manifest's")
    return found


def _video(seed: int, num_objects: int) -> SyntheticVideo:
    return SyntheticVideo(seed, NUM_FRAMES, SIDE, SIDE, num_objects, EVENTFUL)


def _fits(video: SyntheticVideo) -> bool:
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


def _kind(video: SyntheticVideo, identity: int, frames: range) -> str:
    alone = video.scene._replace(far_to_near=(identity - 1,))
    size, labels = (video.height, video.width), (1,) * len(video.scene.bodies)
    outside = [not draw_mask(alone, index, size, labels).any() for index in frames]
    return "exit" if sum(outside) > len(outside) / 2 else "occlusion"


def main() -> None:
    """Checks the list of held-out clips against the generator, or makes it."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--write", action="store_true", help="select the clips and write them")
    path = Path(__file__).with_name("held_out.json")
    if parser.parse_args().write:
        path.write_text(json.dumps(select(), indent=1) + "\n", encoding="utf-8")
    listed = manifest()
    found = problems(listed)
    print("\n".join(found) or f"{path}: {len(listed['clips'])} clips, as listed")
    raise SystemExit(bool(found))


if __name__ == "__main__":
    main()
