"""Tens of thousands of frames: memory, open files and threads stay as they are."""

import gc
import os
import resource
import subprocess
import sys
import threading
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import mavos_jax
from mavos_jax.commands.parser import load_config
from mavos_jax.media.masks import write_mask
from mavos_jax.media.results import video_writer
from mavos_jax.models.mavos import build_model, init_variables

ROOT = Path(__file__).parents[1]
SIZE = (48, 64)
SMALL = ("--elstt.num_blocks", "1", "--inference.max_long_edge", "32")
MEGABYTE = 1_000_000

pytestmark = pytest.mark.campaign


def first_mask():
    mask = np.zeros(SIZE, np.uint8)
    mask[8:24, 8:24], mask[28:40, 30:50] = 1, 2
    return mask


def frames(count):
    background = np.random.default_rng(0).integers(0, 255, (SIZE[0], 500, 3), np.uint8)
    for index in range(count):
        left = index % (background.shape[1] - SIZE[1])
        yield background[:, left : left + SIZE[1]].copy()


def usage(process):
    """Resident bytes, open files and threads of a process, None once it has ended."""
    folder = Path("/proc") / str(process)
    try:
        pages = int((folder / "statm").read_text().split()[1])
        counts = (len(os.listdir(folder / name)) for name in ("fd", "task"))
        return pages * resource.getpagesize(), *counts
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None


def test_a_stream_of_twenty_thousand_frames(capsys):
    model = build_model(load_config(ROOT / "configs" / "tiny.py", SMALL))
    found, start = {}, time.monotonic()
    masks = mavos_jax.stream_video(model, init_variables(model, 0), frames(20_000), first_mask())
    for index, mask in enumerate(masks):
        assert mask.shape == SIZE
        if index + 1 in (1000, 5000, 10_000, 20_000):
            gc.collect()
            found[index + 1] = usage("self")
    with capsys.disabled():
        print(f"\nstream_video, {time.monotonic() - start:.0f} s: {found}")
    assert found[20_000][0] - found[1000][0] < 20 * MEGABYTE
    assert found[20_000][1:] == found[1000][1:]
    assert threading.active_count() < 5


def test_a_video_file_of_five_thousand_frames(tmp_path, capsys):
    with video_writer(tmp_path / "clip.mp4", SIZE, Fraction(25)) as add:
        for frame in frames(5000):
            add(frame)
    write_mask(tmp_path / "first.png", first_mask())
    masks = tmp_path / "out" / "masks"
    command = [sys.executable, "evaluate.py", "--config", "configs/tiny.py", "--untrained", *SMALL]
    command += ["--video", tmp_path / "clip.mp4", "--mask", tmp_path / "first.png"]
    command += ["--output", tmp_path / "out", "--overlay", "video"]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, cwd=ROOT, stdout=pipe, stderr=pipe, text=True)
    samples = []
    while process.poll() is None:
        done = len(os.listdir(masks)) if masks.is_dir() else 0
        if done >= 500 and (seen := usage(process.pid)) is not None:
            samples.append((done, *seen))
        time.sleep(0.5)
    output, errors = process.communicate()
    assert process.returncode == 0, errors
    assert len(os.listdir(masks)) == 5000
    with capsys.disabled():
        print(f"\nevaluate.py: {samples[:: max(1, len(samples) // 8)]}\n{output}{errors}")
    # Writers have a temporary file open now and then.
    early, late = samples[: len(samples) // 4], samples[3 * len(samples) // 4 : -4]
    for index, growth in ((1, 20 * MEGABYTE), (2, 2), (3, 2)):
        assert max(s[index] for s in late) - max(s[index] for s in early) <= growth
