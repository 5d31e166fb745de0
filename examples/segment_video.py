"""Segments a video file or a folder of frames, given the mask of the first frame.

python examples/segment_video.py clip.mp4 first.png masks
python examples/segment_video.py frames/ first.png masks --checkpoint weights/r50

The mask is an indexed PNG of object ids (0 is background), and so are the results. Frames are read
and masks written one by one, so a video may be of any length. Video files need the extra ``video``.
"""

import argparse
from pathlib import Path

import mavos_jax
from mavos_jax.media.frames import open_frames
from mavos_jax.media.masks import read_mask, write_mask


def main(video: Path, mask: Path, output: Path, checkpoint: Path | None) -> None:
    model, variables = mavos_jax.load(checkpoint) if checkpoint else mavos_jax.load_default()
    frames = open_frames(video)  # upright, in the order of their names, one at a time
    first, palette = read_mask(mask, frames.size)
    output.mkdir(parents=True, exist_ok=True)
    masks = mavos_jax.stream_video(model, variables, frames, first)
    for index, ids in enumerate(masks):
        write_mask(output / f"{frames.name(index)}.png", ids, palette)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("video", type=Path)
    parser.add_argument("mask", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--checkpoint", type=Path, help="default: the small network we ship")
    main(**vars(parser.parse_args()))
