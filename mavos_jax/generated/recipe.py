"""How often a generated video shows what, and how strongly."""

import dataclasses

Range = tuple[float, float]  # smallest, largest


@dataclasses.dataclass(frozen=True)
class Recipe:
    """Probabilities and strengths from which a generated scene is drawn."""

    # Lengths are shares of the frame's side (the root of its area).
    radius: Range = (0.09, 0.32)  # the disc that a labelled object stays in, at frame 0
    gap: float = 0.9  # least distance of two discs at frame 0, as a share of their radii' sum
    lookalike: float = 0.3  # probability, for each labelled object, of an unlabelled look-alike
    twin: float = 0.15  # probability that a labelled object looks like the labelled one before it
    likeness: Range = (0.03, 0.2)  # difference in tint, as a share of full brightness
    lookalike_present: float = 0.7  # probability that a look-alike is in view at frame 0
    camouflage: float = 0.2  # probability that an object has the colours of the background
    distractors: int = 2  # the most unlabelled bodies that look like nothing else
    pole: float = 0.25  # probability of a pole that stands in front
    passer: float = 0.2  # probability that something hides each of the first three objects
    knot_spacing: Range = (4.0, 24.0)  # frames between two places of a body's path
    reach: Range = (0.1, 1.0)  # share of the way that a body takes to places in the frame
    exit: float = 0.12  # probability that such a place lies outside the frame
    dart: float = 0.25  # probability that a body rests at its places and darts between them
    growth: float = 0.35  # the largest logarithm of a body's change of size
    spin: float = 0.06  # the largest turn, in radians a frame
    wobble: float = 0.2  # the largest relative change of an outline
    still_camera: float = 0.25  # probability that the camera does not move
    drift: float = 0.6  # the farthest that the background runs past
    pan: float = 0.15  # the farthest that the whole scene pans
    zoom: float = 0.2  # the largest logarithm of the camera's change of scale
    roll: float = 0.15  # the largest turn of the camera, in radians
    shake: float = 0.012  # the largest jolt
    lighting: float = 0.5  # probability that the light changes with time
    blur: float = 0.3  # probability that a video is out of focus or smeared at times
    noise: Range = (0.5, 6.0)  # standard deviation of the sensor's noise, of 255


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
