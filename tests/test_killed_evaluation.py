"""A run over a set that is killed again and again ends with the same masks."""

import contextlib
import os
import random
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


def count_masks(output):
    with contextlib.suppress(FileNotFoundError):  # folders come and go meanwhile
        return sum(1 for _ in (output / "masks").glob("*/*.png"))
    return 0


def results(output):
    files = [*output.glob("masks/*/*.png"), *output.glob("*.csv"), *output.glob("*.zip")]
    return {path.relative_to(output).as_posix(): path.read_bytes() for path in sorted(files)}


@pytest.mark.campaign
def test_killed_at_random_moments_and_restarted(tmp_path):
    """Some kills come while programs start, most while masks are written, some while scoring."""
    tree = write_benchmark_tree(tmp_path / "tree", "davis2017")
    assert start(tree, tmp_path / "whole").wait() == 0
    expected = results(tmp_path / "whole")
    rng, num_killed, num_runs, output = random.Random(0), 0, 0, tmp_path / "run0"
    while num_killed < NUM_KILLS:
        process = start(tree, output)
        target = count_masks(output) + rng.randint(0, 5)
        while process.poll() is None and count_masks(output) < target:
            time.sleep(0.001)
        try:
            process.wait(rng.uniform(0, 0.3) if target else rng.uniform(0, 8))
        except subprocess.TimeoutExpired:
            process.kill()
            num_killed += 1
        if process.wait() == 0:
            assert results(output) == expected
            num_runs += 1
            output = tmp_path / f"run{num_runs}"
    assert start(tree, output).wait() == 0
    assert results(output) == expected
