"""Runs programs that ``python -m mavos_jax.commands.export`` wrote; needs JAX and flatbuffers.

python run_exported.py exported/cpu frames.npy mask.npy masks.npy
"""

import json
import sys
from pathlib import Path

import jax
import numpy as np
from jax import export


def load(folder):
    """Returns the programs and their weights."""
    manifest = json.loads((folder / "manifest.json").read_text())
    weights = []
    if manifest["weights"]:
        arrays = np.load(folder / "weights.npz")
        dtypes = map(jax.numpy.dtype, manifest["weights"])
        pairs = zip(arrays.values(), dtypes, strict=True)
        weights = [jax.device_put(x if x.dtype == t else x.view(t)) for x, t in pairs]
    read = {n: (folder / f"{n}.bin").read_bytes() for n in ("init", "step", "correct")}
    return {n: jax.jit(export.deserialize(bytearray(x)).call) for n, x in read.items()}, weights


def main(folder, frames, mask, output):
    """Segments frames, uint8 [T, H, W, 3], given the first mask, uint8 [H, W]."""
    programs, weights = load(Path(folder))
    frames, masks = np.load(frames), [np.load(mask)]
    state = programs["init"](weights, frames[0], masks[0])
    for frame in frames[1:]:
        state, (found, _, _) = programs["step"](weights, state, frame)
        masks.append(np.asarray(found))
    np.save(output, np.stack(masks))


if __name__ == "__main__":
    main(*sys.argv[1:])
