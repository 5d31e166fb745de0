import dataclasses
import hashlib
import itertools
import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from programs import ROOT, start_python
from refusals import refuse
from video_sets import BoxSet

from mavos_jax.config.data import DataConfig, SourceConfig
from mavos_jax.data.loader import make_loader
from mavos_jax.datasets import DamagedSample

CONFIG = DataConfig(clip_frames=3, crop=48, short_edge=0, workers=0, threads=2, prefetch=1)
STEPS = 4


def _config(num_sets=1, **changes):
    sources = tuple(SourceConfig(repeats=1.0 + number) for number in range(num_sets))
    return dataclasses.replace(CONFIG, sources=sources, **changes)


SETS = (BoxSet(name="left"), BoxSet(length=5, size=56, name="right", damaged=(1,)))
SKIPPING = _config(2, skip_damaged=True)
DAMAGED, DEADLY = BoxSet(damaged=tuple(range(12))), BoxSet(deadly=tuple(range(12)))


def _read(config, sets, num_steps=STEPS, **arguments):
    """Batches, as plain values that can be compared, and what was damaged."""
    with make_loader(config, sets, **({"seed": 5, "batch_size": 4} | arguments)) as loader:
        return [(batch, loader.damaged) for batch in itertools.islice(loader, num_steps)]


def _steps(config, sets, process_count=1, **arguments):
    """Hashes of the clips of every step in the order of the global batch."""
    parts = [
        _read(config, sets, process_index=index, process_count=process_count, **arguments)
        for index in range(process_count)
    ]
    steps = []
    for step in zip(*parts, strict=True):
        clips = [clip for batch, _ in step for clip in zip(*batch, strict=True)]
        clips.sort(key=lambda clip: clip[3])
        assert [int(clip[3]) for clip in clips] == list(range(len(clips)))
        contents = [b"".join(part.tobytes() for part in clip) for clip in clips]
        steps.append([hashlib.sha256(content).hexdigest() for content in contents])
    return steps


@pytest.fixture(scope="module")
def steps():
    return _steps(SKIPPING, SETS)


def test_clips_differ_between_places_steps_and_seeds(steps):
    assert len({digest for step in steps for digest in step}) == 4 * STEPS
    assert _steps(SKIPPING, SETS, seed=6) != steps


@pytest.mark.parametrize("name", ["twins", "turn", "haze"])
def test_every_option_of_clips_changes_them(name):
    plain = _config(merge=1.0)
    assert _steps(dataclasses.replace(plain, **{name: 1.0}), SETS[:1]) != _steps(plain, SETS[:1])


@pytest.mark.parametrize("threads", [1, 2, 4])
@pytest.mark.parametrize("process_count", [1, 2, 4])
def test_a_step_does_not_depend_on_processes_and_threads_nor_on_resuming(
    steps, process_count, threads
):
    config, start = dataclasses.replace(SKIPPING, threads=threads), threads - 1
    arguments = {"num_steps": STEPS - start, "start_step": start}
    assert _steps(config, SETS, process_count, **arguments) == steps[start:]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_step_does_not_depend_on_the_number_of_workers(steps, workers):
    config = dataclasses.replace(SKIPPING, workers=workers)
    assert _steps(config, SETS) == steps
    read = _read(config, SETS)
    assert [damaged for _, damaged in read] == [line for _, line in _read(SKIPPING, SETS)]
    assert all(type(part) is np.ndarray for part in read[0][0])


def test_every_pass_shows_each_video_once_in_another_order():
    config = _config(merge=0.0, scale=(1.0, 1.0), flip=0.0, colour=0.0, grey=0.0, blur=0.0)
    batches = [batch for batch, _ in _read(config, [BoxSet(length=8, max_gap=1)], 4)]
    boxes = [BoxSet()[index].masks for index in range(8)]

    def video(clip):
        return next(
            number
            for number, masks in enumerate(boxes)
            if all(any((mask == stored).all() for stored in masks) for mask in clip)
        )

    seen = [video(clip) for batch in batches for clip in batch.masks]
    assert sorted(seen[:8]) == sorted(seen[8:]) == list(range(8))
    assert seen[:8] != seen[8:]


def test_sets_are_mixed_by_videos_times_repeats():
    config = _config(2, merge=0.0)
    still = BoxSet(length=6, size=64, max_gap=1, damaged=tuple(range(6)), name="b")
    sets = [BoxSet(length=12), still]
    with pytest.raises(ValueError, match=r"b: expected samples .* 20 damaged .* b/00\d.jpg"):
        _read(dataclasses.replace(config, skip_damaged=True), sets, 1)
    num_damaged = 0
    for step in range(16):  # 12 videos once and 6 twice: every second clip
        try:
            _read(config, sets, 1, batch_size=1, start_step=step)
        except DamagedSample:
            num_damaged += 1
    assert num_damaged == 8


def test_damaged_samples_are_skipped_and_told():
    read = _read(_config(skip_damaged=True), [BoxSet(damaged=(0, 1, 2))])
    told = [line for _, lines in read for line in lines]
    assert told
    assert all(line.startswith("boxes/00") and "found none" in line for line in told)


@pytest.mark.parametrize(
    ("workers", "videos", "error", "words"),
    [
        (0, DAMAGED, DamagedSample, r"^boxes/0\d\d.jpg: expected an image"),
        (1, DAMAGED, DamagedSample, r"^boxes/0\d\d.jpg: expected an image"),
        (1, DEADLY, ValueError, r"a loader process died .*data\.workers"),
    ],
)
def test_damage_and_death_end_the_stream(workers, videos, error, words):
    with make_loader(_config(workers=workers), [videos], seed=0, batch_size=2) as loader:
        for _ in range(2):  # no batch is left out silently
            with pytest.raises(error, match=words):
                next(loader)


def test_other_errors_keep_their_message():
    with pytest.raises(KeyError, match="video"):
        _read(_config(skip_damaged=True), [BoxSet(faulty=tuple(range(12)))])
    with pytest.raises(ValueError, match="boxes: expected clips with an object, found none in 20"):
        _read(_config(), [BoxSet(empty=True)])


@pytest.mark.parametrize("sets", [[BoxSet(empty=True), BoxSet(length=6)], [BoxSet(is_static=True)]])
def test_clips_without_objects_and_still_images_are_merged_always(sets):
    (batch, _), *_ = _read(_config(len(sets), merge=0.0), sets, batch_size=16)
    assert batch.num_objects.min() > 0
    assert batch.num_objects.max() > (3 if sets[0].is_static else 0)  # a video has three at most


def test_a_closed_loader_says_so_and_tells_how_long_it_waited():
    with make_loader(_config(), [BoxSet()], seed=0, batch_size=2) as loader:
        next(loader)
        assert 0 < loader.waited < 60
    refuse("expected an open loader", next, loader)


def test_arguments_are_checked():
    refuse("seed: expected 0 to", make_loader, _config(), [BoxSet()], seed=-1, batch_size=2)
    sets = [BoxSet(length=0)]
    refuse("boxes: expected videos, found none", make_loader, _config(), sets, seed=0, batch_size=2)


ORPHAN = """
import multiprocessing, sys, time
from mavos_jax.config.data import DataConfig
from mavos_jax.data.loader import make_loader
from video_sets import BoxSet

if __name__ == "__main__":
    config = DataConfig(clip_frames=3, crop=48, short_edge=0, workers=1, threads=1, prefetch=1)
    loader = make_loader(config, [BoxSet()], seed=0, batch_size=2)
    next(loader)
    print(*(child.pid for child in multiprocessing.active_children()), flush=True)
    sys.argv[1] == "waits" and time.sleep(1000)
"""


def _is_alive(process):
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")
def test_workers_end_with_their_parent_however_it_ends(tmp_path):
    file = tmp_path / "orphan.py"
    file.write_text(ORPHAN)
    environment = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"}
    with (
        start_python(file, "waits", env=environment) as killed,
        start_python(file, "ends", env=environment) as careless,
    ):
        assert killed.stdout is not None
        assert careless.stdout is not None
        workers = int(killed.stdout.readline()), int(careless.stdout.readline())
        os.kill(workers[0], signal.SIGTERM)  # a scheduler's notice: the parent decides
        assert careless.wait(timeout=300) == 0  # it has not closed its loader
        assert _is_alive(workers[0])
        killed.kill()
    deadline = time.monotonic() + 300
    while any(_is_alive(worker) for worker in workers):
        assert time.monotonic() < deadline, "a loader process outlives its parent"
        time.sleep(0.1)
