"""How often a generated video shows what, and how strongly."""

from __future__ import annotations

import dataclasses

Range = tuple[float, float]


@dataclasses.dataclass(frozen=True)
class Recipe:
    """Probabilities and strengths from which a generated scene is drawn.

    Lengths are shares of the frame's side (the root of its area), probabilities lie in [0, 1], and
    a range is (smallest, largest).

    Attributes:
      radius: of the disc that a labelled object stays in, at frame 0.
      gap: the least distance of two discs at frame 0, as a share of the sum of their radii; below 1
        their boxes may touch.
      lookalike: probability, for each labelled object, of an unlabelled look-alike.
      twin: probability that a labelled object looks like the labelled one before it.
      likeness: how far a look-alike's tint is from the original's, as a share of full brightness.
      lookalike_present: probability that a look-alike is in view at frame 0.
      camouflage: probability that an object has the colours of the background.
      distractors: the most unlabelled bodies that look like nothing else.
      pole: probability of a pole that stands in front.
      passer: probability, for each of the first three objects, that something passes in front of it
        and hides it.
      knot_spacing: frames between two places of a body's path.
      reach: share of the way that a body takes towards places all over the frame.
      exit: probability that such a place lies outside the frame.
      dart: probability that a body rests at its places and darts between them.
      growth: the largest logarithm of a body's change of size.
      spin: the largest turn, in radians a frame.
      wobble: the largest relative change of an outline.
      still_camera: probability that the camera does not move.
      drift: the farthest that the background runs past.
      pan: the farthest that the whole scene pans.
      zoom: the largest logarithm of the camera's change of scale.
      roll: the largest turn of the camera, in radians.
      shake: the largest jolt.
      lighting: probability that the light changes with time.
      blur: probability that a video is out of focus or smeared at times.
      noise: standard deviation of the sensor's noise, of 255.
    """

    radius: Range = (0.09, 0.32)
    gap: float = 0.9
    lookalike: float = 0.3
    twin: float = 0.15
    likeness: Range = (0.03, 0.2)
    lookalike_present: float = 0.7
    camouflage: float = 0.2
    distractors: int = 2
    pole: float = 0.25
    passer: float = 0.2
    knot_spacing: Range = (4.0, 24.0)
    reach: Range = (0.1, 1.0)
    exit: float = 0.12
    dart: float = 0.25
    growth: float = 0.35
    spin: float = 0.06
    wobble: float = 0.2
    still_camera: float = 0.25
    drift: float = 0.6
    pan: float = 0.15
    zoom: float = 0.2
    roll: float = 0.15
    shake: float = 0.012
    lighting: float = 0.5
    blur: float = 0.3
    noise: Range = (0.5, 6.0)


# Everything that can happen, each now and then.
VARIED = Recipe()
# Fast bodies of middling size that hide one another, leave, return and have look-alikes.
EVENTFUL = Recipe(
    radius=(0.13, 0.24),
    gap=1.0,
    lookalike=0.6,
    likeness=(0.08, 0.2),
    lookalike_present=0.9,
    passer=0.45,
    knot_spacing=(5.0, 9.0),
    reach=(0.6, 1.0),
    exit=0.2,
    dart=0.15,
)
