"""Segments a video file or a folder of frames, given the mask of the first frame.

python examples/segment_video.py clip.mp4 first.png masks
python examples/segment_video.py frames/ first.png masks --checkpoint weights/r50

The mask is an indexed PNG of object ids (0 is background), and so are the results. Frames are read
and masks written one by one, so a video may be of any length.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

import mavos_jax


def frames_of(path: Path) -> Iterator[np.ndarray]:
    """Yields frames, uint8 RGB [H, W, 3]; a video file needs PyAV (the extra ``video``)."""
    if path.is_dir():
        for file in sorted(path.iterdir()):
            yield np.asarray(Image.open(file).convert("RGB"))
        return
    import av

    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            yield frame.to_ndarray(format="rgb24")


def main(video: Path, mask: Path, output: Path, checkpoint: Path | None) -> None:
    model, variables = mavos_jax.load(checkpoint) if checkpoint else mavos_jax.load_default()
    first = Image.open(mask)
    output.mkdir(parents=True, exist_ok=True)
    masks = mavos_jax.stream_video(model, variables, frames_of(video), np.asarray(first))
    for index, ids in enumerate(masks):
        picture = Image.fromarray(ids, mode="P")
        picture.putpalette(first.getpalette() or [])
        picture.save(output / f"{index:05}.png")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("video", type=Path)
    parser.add_argument("mask", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--checkpoint", type=Path, help="default: the small network we ship")
    main(**vars(parser.parse_args()))
