"""A run over a set that is killed again and again ends with the same masks."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from benchmark_trees import write_benchmark_tree

ROOT = Path(__file__).parents[1]
SMALL = ("--elstt.num_blocks", "1", "--inference.chunk_frames", "1")
UNTRAINED = ("--config", "configs/tiny.py", "--untrained", *SMALL)
NUM_KILLS = 10


def start(tree, output):
    words = ("--dataset", tree.dataset, "--split", tree.split, "--root", tree.root)
    options = ("--output", output, "--scoring_processes", "0", "--report_frames", "0")
    command = [sys.executable, "evaluate.py", *UNTRAINED, *words, *options]
    environment = {**os.environ, "JAX_PLATFORMS": "cpu"}
    return subprocess.Popen(
        [str(word) for word in command], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL
    )


def results(output):
    files = [*output.rglob("masks/*/*.png"), *output.glob("*.csv"), *output.glob("*.zip")]
    return {path.relative_to(output).as_posix(): path.read_bytes() for path in sorted(files)}


@pytest.mark.campaign
def test_killed_at_random_moments_and_restarted(tmp_path):
    tree = write_benchmark_tree(tmp_path / "tree", "davis2017")
    assert start(tree, tmp_path / "whole").wait() == 0
    expected = results(tmp_path / "whole")
    rng, killed, output = random.Random(0), 0, tmp_path / "killed"
    while killed < NUM_KILLS:
        process = start(tree, output)
        before = len(list(output.rglob("masks/*/*.png")))
        target = rng.choice((0, before, before + rng.randint(1, 4), len(expected)))
        deadline = time.monotonic() + rng.uniform(2, 20) if target == 0 else float("inf")
        while process.poll() is None and time.monotonic() < deadline:
            if 0 < target <= len(list(output.rglob("masks/*/*.png"))) and target > before:
                break
            time.sleep(0.001)
        if process.poll() is None:
            time.sleep(rng.uniform(0, 0.05))
            process.send_signal(signal.SIGKILL)
            killed += 1
        process.wait()
    assert start(tree, output).wait() == 0
    assert results(output) == expected
