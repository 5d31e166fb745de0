"""Runs over a set that are killed or lose results end with the same."""

import contextlib
import itertools
import json
import os
import random
import signal
import subprocess
import time

import pytest
from benchmark_trees import write_benchmark_tree
from programs import start_python

SMALL = ("--elstt.num_blocks", "1", "--inference.chunk_frames", "1")
UNTRAINED = ("--config", "configs/tiny.py", "--untrained", *SMALL)
NUM_KILLS = 20

pytestmark = pytest.mark.campaign


def start(tree, output):
    words = ("--dataset", tree.dataset, "--split", tree.split, "--root", tree.root)
    words += ("--output", output, "--scoring_processes", "0", "--report_frames", "0")
    environment = {**os.environ, "JAX_PLATFORMS": "cpu"}
    return start_python("evaluate.py", *UNTRAINED, *words, env=environment)


def wait(process, look, output, least=1):
    while process.poll() is None and len(look(output)) < least:
        time.sleep(0.001)


def masks(output):
    with contextlib.suppress(FileNotFoundError):  # folders come and go meanwhile
        return [*(output / "masks").glob("*/*.png")]
    return []


def finished(output):
    names = []
    for path in (output / "sequences").glob("*.json"):
        with contextlib.suppress(OSError, ValueError):
            if "data" in json.loads(path.read_text()):
                names.append(path.stem)
    return names


def results(output):
    files = [path for kind in ("masks/*/*.png", "*.csv", "*.zip") for path in output.glob(kind)]
    found = {path.relative_to(output).as_posix(): path.read_bytes() for path in files}
    scores = json.loads((output / "scores.json").read_text())
    return {**found, "scores": {name: scores[name] for name in ("rule", "summary", "objects")}}


def complete(tree, output):
    process = start(tree, output)
    _, error = process.communicate()
    assert process.returncode == 0, error
    return results(output)


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    return write_benchmark_tree(tmp_path_factory.mktemp("tree"), "davis2017")


@pytest.fixture(scope="module")
def expected(tree, tmp_path_factory):
    return complete(tree, tmp_path_factory.mktemp("whole"))


def damage(rng, path):
    data = path.read_bytes()
    path.unlink()
    contents = (b"", bytes(len(data)), data[: rng.randrange(len(data))], None)
    if (content := rng.choice(contents)) is not None:
        path.write_bytes(content)


def test_killed_at_random_moments_and_restarted(tree, expected, tmp_path):
    """Every second kill comes after the first finished sequence, and then a mask is damaged."""
    rng, outputs = random.Random(0), (tmp_path / f"run{index}" for index in itertools.count())
    output, num_killed, num_damaged = next(outputs), 0, 0
    while num_killed < NUM_KILLS:
        is_late = num_killed % 2 == 1
        target = len(masks(output)) + rng.randint(0, 5)
        process = start(tree, output)
        wait(process, finished if is_late else masks, output, 1 if is_late else target)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(rng.uniform(0, 1) if is_late or target else rng.uniform(0, 8))
        num_killed += process.poll() is None
        process.kill()
        _, error = process.communicate()
        if process.returncode == 0:
            assert results(output) == expected
            output = next(outputs)
            continue
        assert process.returncode == -signal.SIGKILL, error
        if is_late:
            found = [path for path in masks(output) if path.parent.name in finished(output)]
            damage(rng, rng.choice(found))
            num_damaged += 1
    assert num_damaged == NUM_KILLS // 2
    assert complete(tree, output) == expected
