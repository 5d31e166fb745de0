"""The weights that come with the package: of a small network, trained on generated videos.

``tools/pack_weights.py`` makes ``mavos_jax/weights/NAME.safetensors``: a checkpoint in one file,
with parameters in float16 and batch-norm vectors in float32.
"""

from pathlib import Path

from mavos_jax.checkpoints.description import SUFFIX, Stored, read_description
from mavos_jax.checkpoints.weights import load_stored
from mavos_jax.config.checks import require_kind
from mavos_jax.models.mavos import MAVOS, Variables

DEFAULT_NAME = "tiny"
FOLDER = Path(__file__).parents[1] / "weights"


def load_default(folder: Path | None = None) -> tuple[MAVOS, Variables]:
    """Returns a small demonstration network and its weights, from the package or ``folder``.

    Variables are float32 NumPy arrays, on no device yet. Raises ValueError for damaged files.
    """
    return load_stored(read_default(folder))


def read_default(folder: Path | None = None) -> Stored:
    """Returns what is known of the weights in a folder, by default the packaged ones."""
    folder = FOLDER if folder is None else folder
    require_kind("folder", folder, Path, "a Path of a folder, or none")
    file = folder / f"{DEFAULT_NAME}{SUFFIX}"
    if not file.is_file():
        raise ValueError(
            f"{file}: expected the weights that come with the package, found none; install it "
            "again, give others with --checkpoint DIR, or try the program without any by --config "
            "configs/tiny.py --untrained"
        )
    return read_description(file)


def describe_default() -> str:
    """Tells in a line what the packaged weights are."""
    stored = read_default()
    scores = stored.others.get("scores", {}).get("demonstration", {})
    known = f", with J&F {scores['J&F']} on the demonstration" if "J&F" in scores else ""
    return f"{stored.config.name}, small demonstration weights trained on generated videos{known}"
