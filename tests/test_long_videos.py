"""Thousands of frames from a file to files: memory, open files and threads stay as they are."""

import os
import resource
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from programs import start_python

from mavos_jax.media.masks import write_mask
from mavos_jax.media.results import video_writer

SIZE = (48, 64)
COUNT = 5000


def usage(process):
    """Resident megabytes, open files and threads of a process, None once it has ended."""
    folder = Path("/proc") / str(process)
    try:
        pages = int((folder / "statm").read_text().split()[1])
        counts = (len(os.listdir(folder / name)) for name in ("fd", "task"))
        return pages * resource.getpagesize() / 1e6, *counts
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None


@pytest.mark.campaign
def test_a_video_file_of_five_thousand_frames(tmp_path, capsys):
    background = np.random.default_rng(0).integers(0, 255, (SIZE[0], 500, 3), np.uint8)
    with video_writer(tmp_path / "clip.mp4", SIZE, Fraction(25)) as add:
        for index in range(COUNT):
            left = index % (background.shape[1] - SIZE[1])
            add(background[:, left : left + SIZE[1]].copy())
    mask = np.zeros(SIZE, np.uint8)
    mask[8:24, 8:24], mask[28:40, 30:50] = 1, 2
    write_mask(tmp_path / "first.png", mask)
    masks = tmp_path / "out" / "masks"
    words = ("--config", "configs/tiny.py", "--untrained", "--overlay", "video")
    words += ("--elstt.num_blocks", "1", "--inference.max_long_edge", "32")
    words += ("--video", tmp_path / "clip.mp4", "--mask", tmp_path / "first.png")
    process = start_python("evaluate.py", *words, "--output", tmp_path / "out")
    samples = []
    while process.poll() is None:
        done = len(os.listdir(masks)) if masks.is_dir() else 0
        if done >= 500 and (seen := usage(process.pid)) is not None:
            samples.append((done, *seen))
        time.sleep(0.5)
    output, errors = process.communicate()
    assert process.returncode == 0, errors
    assert len(os.listdir(masks)) == COUNT
    with capsys.disabled():
        print(f"\nevaluate.py: {samples[:: max(1, len(samples) // 8)]}\n{output}{errors}")
    # Writers have a temporary file open now and then.
    early, late = samples[: len(samples) // 4], samples[3 * len(samples) // 4 : -4]
    for index, growth in ((1, 20), (2, 2), (3, 2)):
        assert max(s[index] for s in late) - max(s[index] for s in early) <= growth
