"""The weights that come with the package: of a small network, trained on generated videos.

Two files in ``mavos_jax/weights``, which ``tools/pack_weights.py`` makes::

  NAME.npz    arrays by path: parameters in float16, batch-norm vectors in float32
  NAME.json   the configuration, a checksum of the other file, and where the weights come from
"""

import hashlib
import importlib.resources
import io
import json
from collections.abc import Mapping
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mavos_jax.checkpoints.mismatch import require_finite, require_shapes, summarise_misfit
from mavos_jax.config import Experiment, from_dict, to_dict
from mavos_jax.config.checks import require_kind
from mavos_jax.models.mavos import MAVOS, Variables, build_model
from mavos_jax.runtime.trees import leaves_by_path, nested
from mavos_jax.runtime.untrusted import read_npz

DEFAULT_NAME = "tiny"

_FORMAT = 1
_MAX_BYTES = 16_000_000
_FIX = "install the package again, or make the files again with tools/pack_weights.py"

Arrays = Mapping[str, np.ndarray]
"""Variables as they are stored: by path, such as ``params/decoder/conv_in/bias``."""


class Description(NamedTuple):
    """What is known of packaged weights without reading them."""

    config: Experiment
    checksum: str  # SHA-256 of the file of arrays
    origin: Mapping[str, Any]  # tells of the training run

    def __str__(self) -> str:
        scores = self.origin.get("scores", {}).get("demonstration", {})
        known = f", with J&F {scores['J&F']} on the demonstration" if "J&F" in scores else ""
        return f"{self.config.name}, small demonstration weights trained on generated videos{known}"


def load_default(folder: Traversable | None = None) -> tuple[MAVOS, Variables]:
    """Returns a small demonstration network and its weights, from the package or ``folder``.

    Variables are float32 NumPy arrays, on no device yet. Raises ValueError for damaged files.
    """
    folder = packaged_folder() if folder is None else folder
    require_kind("folder", folder, (Path, Traversable), "a Path of a folder, or none")
    description = describe_default(folder)
    file = folder / f"{DEFAULT_NAME}.npz"
    content = _read(file)
    if hashlib.sha256(content).hexdigest() != description.checksum:
        raise ValueError(
            f"{file}: expected the weights that {DEFAULT_NAME}.json describes, found others or "
            f"damaged ones; {_FIX}"
        )
    try:
        arrays = read_npz(io.BytesIO(content))
    except ValueError as error:
        raise ValueError(f"{file}: expected arrays, found damaged ones ({error}); {_FIX}") from None
    misfit = summarise_misfit(description.config, {name: x.shape for name, x in arrays.items()})
    if misfit:
        raise ValueError(
            f"{file}: expected the weights of the configuration in {DEFAULT_NAME}.json, found "
            f"{misfit}; {_FIX}"
        )
    require_finite(file, arrays)
    return build_model(description.config), to_variables(arrays)


def describe_default(folder: Traversable | None = None) -> Description:
    """Returns what is known of the weights in a folder, by default the packaged ones."""
    file = (packaged_folder() if folder is None else folder) / f"{DEFAULT_NAME}.json"
    text = _read(file)
    try:
        values = json.loads(text)
        if values.pop("format") != _FORMAT:
            raise ValueError(f"expected format {_FORMAT}")
        return Description(from_dict(values.pop("config")), values.pop("sha256"), values)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ValueError(
            f"{file}: expected a description of weights of this version, found a damaged or "
            f"another one ({type(error).__name__}: {' '.join(str(error).split())}); {_FIX}"
        ) from None


def packaged_folder() -> Traversable:
    """Returns the folder of the files in the package."""
    return importlib.resources.files("mavos_jax") / "weights"


def to_arrays(variables: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Returns variables as they are stored: parameters in float16, batch norms in float32."""
    arrays = {}
    for name, leaf in sorted(leaves_by_path(variables).items()):
        is_half = name.startswith("params/")
        with np.errstate(over="ignore"):  # what overflows is reported by its name
            array = np.asarray(leaf, np.float16 if is_half else np.float32, order="C")
        if not np.isfinite(array).all():
            raise ValueError(f"{name}: expected numbers that {array.dtype} holds, found larger")
        arrays[name] = array
    return arrays


def to_variables(arrays: Arrays) -> Variables:
    """Returns stored arrays as the variables of a model, in float32."""
    wide = {name: array.astype(np.float32) for name, array in arrays.items()}
    return {"params": {}, "constants": {}, **nested(wide)}


def write_default(
    folder: Path, config: Experiment, arrays: Arrays, origin: Mapping[str, Any]
) -> list[Path]:
    """Writes the two files that :func:`load_default` reads; the same input gives the same bytes."""
    require_shapes(config, arrays)
    buffer = io.BytesIO()
    # Not compressed: it saves little, and its bytes would depend on the library that does it.
    by_name: dict[str, Any] = {name: arrays[name] for name in sorted(arrays)}
    np.savez(buffer, **by_name)
    content = buffer.getvalue()
    if len(content) > _MAX_BYTES:
        raise ValueError(
            f"{config.name}: expected weights of at most {_MAX_BYTES / 1e6:.0f} MB to come with "
            f"the package, found {len(content) / 1e6:.1f} MB; take a smaller network"
        )
    values = {
        "format": _FORMAT,
        "sha256": hashlib.sha256(content).hexdigest(),
        **origin,
        "config": to_dict(config),
    }
    # A line for each entry, so that the curve does not take a line for each number.
    lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(values[name])}" for name in values)
    files = [folder / f"{config.name}.npz", folder / f"{config.name}.json"]
    folder.mkdir(parents=True, exist_ok=True)
    files[0].write_bytes(content)
    files[1].write_text(f"{{\n{lines}\n}}\n", encoding="utf-8")
    return files


def _read(file: Traversable) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise ValueError(
            f"{file}: expected the weights that come with the package, found none "
            f"({error.strerror}); give others with --checkpoint DIR, or try the program without "
            "any by --config configs/tiny.py --untrained"
        ) from None
