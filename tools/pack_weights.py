"""Makes the weights that come with the package from a checkpoint.

python tools/pack_weights.py --checkpoint RUN [ANOTHER_RUN ...] --output mavos_jax/weights

The same checkpoint, curve and scores give the same bytes on the same machine.
"""

from __future__ import annotations

import dataclasses
import json
import re
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from mavos_jax.checkpoints.description import SUFFIX, read_description
from mavos_jax.checkpoints.mismatch import require_same_shapes
from mavos_jax.checkpoints.weights import load_stored, to_variables, write_file
from mavos_jax.commands.errors import main_with_errors
from mavos_jax.commands.parser import parse_experiment
from mavos_jax.config import Experiment, to_dict
from mavos_jax.evaluation.one_video import in_percent, score_demonstration
from mavos_jax.models.mavos import build_model
from mavos_jax.runtime.files import require_new
from mavos_jax.runtime.trees import leaves_by_path

_CURVE = "metrics.jsonl"
_MEMORY = ("memory.num_heads", "memory.released_value_layout")
_COMPUTING = ("align_corners", "decoder.", "elstt.", "encoder.", *_MEMORY)  # with the same weights
_NUM_POINTS = 100
_DIGITS = 4
_MAX_BYTES = 16_000_000
_LEFT_OUT = ("checksums", "data_position", "score", "score_conditions")
"""What a checkpoint says of itself and not of its weights, or under another name."""

Number = int | float


@dataclasses.dataclass(frozen=True)
class Arguments:
    """Make the weights that come with the package from a checkpoint.

    Attributes:
      checkpoint: a checkpoint, or the folder of a run: then its best or else its newest step. The
        weights of several are averaged; the first one gives the configuration and the curve.
      output: the folder for the file.
      config: a configuration for the weights instead of the checkpoint's.
      zero: a regular expression; parameters in whose path it is found become 0.
      curve: the metrics.jsonl of the run; by default the one in --checkpoint.
      scores: a JSON file of more scores to keep, by name.
      about: a line on what they were trained on and may be used for, shown when they are used.
      overwrite: replace the file.
    """

    checkpoint: tuple[Path, ...]
    output: Path
    config: Path | None = None
    zero: str | None = None
    curve: Path | None = None
    scores: Path | None = None
    about: str = ""
    overwrite: bool = False


def main(argv: Sequence[str] | None = None) -> None:
    """Packs the weights that the command line names."""
    arguments, config = parse_experiment(Arguments, argv)
    every = [read_description(checkpoint) for checkpoint in arguments.checkpoint]
    for path, one in zip(arguments.checkpoint, every, strict=True):
        require_same_shapes(str(path), one.config, config)
        if _computed(one.config) != _computed(every[0].config):
            raise ValueError(
                f"{path}: expected a network like that of {arguments.checkpoint[0]}, found one "
                "that uses weights of these shapes otherwise; leave it out"
            )
    stored = every[0]
    file = arguments.output / f"{config.name}{SUFFIX}"
    require_new(file, arguments.overwrite)
    curve = arguments.curve
    if curve is None and (arguments.checkpoint[0] / _CURVE).is_file():
        curve = arguments.checkpoint[0] / _CURVE
    origin = {name: value for name, value in stored.others.items() if name not in _LEFT_OUT}
    scores = {} if arguments.scores is None else _read_scores(arguments.scores)
    points = {} if curve is None else read_curve(curve, origin.get("step"))

    arrays = to_arrays(average([load_stored(one)[1] for one in every]))
    if arguments.zero is not None:
        chosen = [name for name in arrays if re.search(arguments.zero, name)]
        if not chosen:
            raise ValueError(f"--zero {arguments.zero}: expected paths, found none")
        arrays |= {name: np.zeros_like(arrays[name]) for name in chosen}
    _require_small(file, arrays)
    # The score of what is stored, not of what it was rounded from.
    scores["demonstration"] = in_percent(
        score_demonstration(build_model(config), to_variables(arrays))
    )
    origin |= {"scores": scores, "curve": points}
    if arguments.about:
        origin["about"] = arguments.about
    write_file(file, config, arrays, origin)
    print(f"wrote {file}, {file.stat().st_size / 1e6:.2f} MB")
    print(f"step {origin.get('step')}, scores {json.dumps(scores)}")


def average(variables: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Returns the mean of variables of one structure."""
    return jax.tree.map(lambda *leaves: np.mean(leaves, axis=0, dtype=np.float32), *variables)


def to_arrays(variables: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Returns variables by path as they are packed: parameters in float16, the rest in float32."""
    arrays = {}
    for name, leaf in leaves_by_path(variables).items():
        with np.errstate(over="ignore"):  # what overflows is reported by its name
            array = np.asarray(leaf, np.float16 if name.startswith("params/") else np.float32)
        if not np.isfinite(array).all():
            raise ValueError(f"{name}: expected numbers that {array.dtype} holds, found larger")
        arrays[name] = array
    return arrays


def _computed(config: Experiment) -> dict[str, Any]:
    fields = leaves_by_path(to_dict(config), sep=".").items()
    return {name: x for name, x in fields if name.startswith(_COMPUTING) and "drop" not in name}


def _require_small(file: Path, arrays: Mapping[str, np.ndarray]) -> None:
    num_bytes = sum(array.nbytes for array in arrays.values())
    if num_bytes > _MAX_BYTES:
        raise ValueError(
            f"{file}: expected weights of at most {_MAX_BYTES / 1e6:.0f} MB to come with the "
            f"package, found {num_bytes / 1e6:.1f} MB; take a smaller network"
        )


def read_curve(file: Path, step: int | None = None) -> dict[str, dict[str, list[Number]]]:
    """Reads ``metrics.jsonl`` up to a step, thinned to 100 points of each kind.

    Returns, by kind such as ``train`` and ``evaluation``, the values of each metric at its points:
    ``step``, and ``loss`` and ``iou`` (the mean over the frames after the reference), or ``J``,
    ``F`` and ``J&F``; rounded to 4 digits.
    """
    kinds: dict[str, list[dict[str, Number]]] = {}
    try:
        for line in file.read_text(encoding="utf-8").splitlines():
            values = json.loads(line)
            is_empty = values["kind"] == "train" and "loss" not in values  # all steps skipped
            if not is_empty and (step is None or values["step"] <= step):
                kinds.setdefault(values["kind"], []).append(_point(values))
        return {kind: _columns(_thin(points)) for kind, points in kinds.items()}
    except Exception as error:  # damaged lines raise nearly everything
        raise ValueError(
            f"{file}: expected the {_CURVE} of a training run, found none or a damaged one "
            f"({type(error).__name__}: {error})"
        ) from None


def _point(values: Mapping[str, Any]) -> dict[str, Number]:
    numbers = {name: values[name] for name in ("loss", "J", "F", "J&F") if name in values}
    if "frame_ious" in values:
        numbers["iou"] = statistics.fmean(values["frame_ious"][1:])
    rounded = {name: float(f"{value:.{_DIGITS}g}") for name, value in numbers.items()}
    return {"step": values["step"], **rounded}


def _thin(points: Sequence[dict[str, Number]]) -> list[dict[str, Number]]:
    """Returns evenly spaced points, the first and the last among them."""
    count = min(len(points), _NUM_POINTS)
    return [points[index] for index in np.rint(np.linspace(0, len(points) - 1, count)).astype(int)]


def _columns(points: Sequence[dict[str, Number]]) -> dict[str, list[Number]]:
    return {name: [point[name] for point in points] for name in points[0]}


def _read_scores(file: Path) -> dict[str, Any]:
    try:
        scores = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{file}: expected scores as JSON, found none ({error})") from None
    if not isinstance(scores, dict):
        raise ValueError(f"{file}: expected scores by name, found {type(scores).__name__}")
    return scores


if __name__ == "__main__":
    main_with_errors(main)
