"""Makes a GIF of a demonstration: frames on the left, frames with their masks on the right.

python evaluate.py --output demo --overwrite
python examples/animate.py demo docs/assets/demo.gif
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image

FRAMES_PER_SECOND = 8


def main(results: Path, output: Path) -> None:
    pairs = []
    for frame in sorted((results / "frames").glob("*.png")):
        overlay = results / "overlays" / f"{frame.stem}.jpg"
        pairs.append(np.hstack([np.asarray(Image.open(frame)), np.asarray(Image.open(overlay))]))
    # One palette for all frames, and no dithering: neither flickers.
    every = Image.fromarray(np.vstack(pairs))
    palette = every.quantize(255, method=Image.Quantize.FASTOCTREE)
    first, *others = (
        Image.fromarray(pair).quantize(palette=palette, dither=Image.Dither.NONE) for pair in pairs
    )
    output.parent.mkdir(parents=True, exist_ok=True)
    duration = 1000 // FRAMES_PER_SECOND  # milliseconds
    first.save(output, save_all=True, append_images=others, duration=duration, loop=0)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
