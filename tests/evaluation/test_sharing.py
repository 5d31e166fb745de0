"""Runs over a set: on several devices, shared by processes, stopped by errors, over long videos."""

import contextlib
import dataclasses
import functools
import gc
import os

import jax
import numpy as np
import pytest
from benchmark_trees import write_benchmark_tree
from mutation.watch import memory
from PIL import Image
from refusals import refuse
from small_configs import MOBILENET, vary

import mavos_jax
from mavos_jax.datasets import Benchmark, GivenMask, SequenceFiles, open_benchmark
from mavos_jax.evaluation.reading import read_frame, read_given
from mavos_jax.evaluation.run_folder import RunFolder
from mavos_jax.evaluation.sequence import (
    Places,
    SegmentationOptions,
    SequenceTask,
    segment_sequence,
)
from mavos_jax.evaluation.sharing import check_sequences, check_truth, count_programs, segment_all
from mavos_jax.inference.geometry import Augmentation
from mavos_jax.inference.video import stream_masks
from mavos_jax.media.masks import write_mask
from mavos_jax.models.mavos import init_variables

OPTIONS = SegmentationOptions()
INFERENCE = {"max_long_edge": 48, "chunk_frames": 3}
MODEL = mavos_jax.build_model(vary(MOBILENET, elstt={"num_blocks": 1}, inference=INFERENCE))


@functools.cache
def network():
    # On the device that runs use first, so that all tests share their programs.
    return MODEL, jax.device_put(init_variables(MODEL), jax.local_devices()[0])


def segment(benchmark, root, num_devices=1, report=lambda line: None, variables=None):
    tasks = check_sequences(benchmark, None)
    devices = jax.local_devices()[:num_devices]
    with RunFolder.opened(root, {"run": 1}, {}, conclusions=["scores.json"]) as folder:
        segment_all(MODEL, variables or {}, tasks, folder, OPTIONS, devices, report)
    return masks(root)


def places(root):
    return Places(root / "masks", root / "confidence.csv", root / "soft")


def judged_frames(*clip, **options):
    judged = []
    options["on_judged"] = lambda *found: judged.append(found)
    assert len(list(stream_masks(*network(), *clip, **options))) == len(judged)
    return judged


def masks(root):
    paths = sorted((root / "masks").rglob("*.png"))
    return {path.relative_to(root / "masks").as_posix(): path.read_bytes() for path in paths}


def names(lines):
    return [line.split(":")[0] for line in lines]


@pytest.fixture(scope="module")
def benchmark(tmp_path_factory):
    return open_benchmark(write_benchmark_tree(tmp_path_factory.mktemp("tree"), "lvos2"))


def test_devices_write_the_bytes_of_one_and_the_masks_of_the_public_function(benchmark, tmp_path):
    # Those of one size, which share their programs.
    benchmark = dataclasses.replace(benchmark, sequences=benchmark.sequences[::2])
    (_, variables), lines = network(), []
    one = segment(benchmark, tmp_path / "one", variables=variables)
    assert segment(benchmark, tmp_path / "two", 2, lines.append, variables) == one
    assert set(names(lines)) == {sequence.name for sequence in benchmark.sequences}
    for task in check_sequences(benchmark, None):
        sequence = task.sequence
        frames = np.stack([read_frame(benchmark, path) for path in sequence.frames])
        given = {t: read_given(benchmark, sequence, t, task.stored)[0] for t in sequence.given}
        mask = given.pop(0)
        expected = mavos_jax.segment_video(*network(), frames, mask, labels=given)
        for index in sequence.saved:
            name = f"{sequence.name}/{sequence.frame_name(index)}.png"
            with Image.open(tmp_path / "one" / "masks" / name) as image:
                np.testing.assert_array_equal(np.asarray(image), expected[index])
        rows = (tmp_path / "one/confidence" / f"{sequence.name}.csv").read_text().splitlines()
        assert rows.pop(0) == "frame,id,confidence,margin,present"
        assert rows == [
            f"{sequence.frame_name(index)},{number},{sure:.6f},{margin:.6f},{is_present:d}"
            for index, found, _ in judged_frames(frames, mask, labels=given)
            for number, (sure, margin, is_present) in found.items()
        ]


def test_what_another_process_holds_is_taken_over_when_it_ends(benchmark, copying, tmp_path):
    name = benchmark.sequences[0].name
    with RunFolder.opened(tmp_path, {"run": 1}, {}) as folder, contextlib.ExitStack() as other:
        assert other.enter_context(folder.claim(name))
        lines = []

        def report(line):
            lines.append(line)
            if len(lines) == 2:  # all that is free is done
                assert not folder.places(name).masks.exists()
                other.close()

        found = segment(benchmark, tmp_path, report=report)
    assert names(lines)[-1] == name
    assert found == segment(benchmark, tmp_path / "whole")


def test_only_a_sequence_that_has_lost_a_mask_is_done_again(benchmark, copying, tmp_path):
    before = segment(benchmark, tmp_path)
    name, lines = benchmark.sequences[1].name, []
    (tmp_path / "scores.json").write_text("old")
    next((tmp_path / "masks" / name).iterdir()).unlink()
    assert segment(benchmark, tmp_path, report=lines.append) == before
    assert names(lines) == [name]
    assert not (tmp_path / "scores.json").exists()


def test_a_wrong_true_mask_is_found_first(tmp_path):
    benchmark = open_benchmark(write_benchmark_tree(tmp_path, "davis2017"))
    tasks = check_sequences(benchmark, None)
    check_truth(tasks)
    path = benchmark.sequences[1].truth[3]
    os.truncate(path, path.stat().st_size - 60)
    refuse(f"^{path}: expected a mask that can be decoded", check_truth, tasks)
    write_mask(path, np.ones((30, 40), np.uint8))
    refuse(f"^{path}: expected .* found 30 x 40", check_truth, tasks)


@pytest.mark.parametrize("num_devices", [1, 2])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_an_error_stops_all_devices_and_keeps_what_is_finished(
    benchmark, copying, tmp_path, error, num_devices
):
    def report(line):
        raise error

    with pytest.raises(type(error)):
        segment(benchmark, tmp_path, num_devices, report)
    tasks = check_sequences(benchmark, None)
    with RunFolder.opened(tmp_path, {"run": 1}, {}) as folder:
        assert 1 <= sum(folder.record(task) is not None for task in tasks) <= num_devices
    assert segment(benchmark, tmp_path) == segment(benchmark, tmp_path / "whole")


def test_programs_are_counted(benchmark):
    tasks = check_sequences(benchmark, None)
    once = count_programs(MODEL, tasks, OPTIONS)
    both = OPTIONS._replace(augmentation=Augmentation(flip=True))
    assert count_programs(MODEL, tasks, both) == once
    # Two sizes, and objects that come later need another channel bucket.
    assert once == 3
    alike = [dataclasses.replace(task, counts=(3, 5)) for task in tasks]
    assert count_programs(MODEL, alike, OPTIONS) == 2


def test_every_frame_can_be_timed_on_its_own(benchmark, tmp_path):
    task = check_sequences(benchmark, None)[0]
    options = OPTIONS._replace(times_frames=True)
    record = segment_sequence(*network(), task, places(tmp_path), options)
    assert record is not None
    count = len(task.sequence.frames)
    frames, seconds = ({name: t[i] for name, t in record.timings.items()} for i in (0, 1))
    assert frames == {"end-to-end": count, "aot": count - 1, "xmem": count}
    assert 0 < seconds["aot"] < seconds["xmem"] < seconds["end-to-end"]


def test_memory_is_flat_over_thousands_of_frames(copying, tmp_path):
    """From the first look on, keeping the frames would cost 98 MB, keeping the masks 33 MB."""
    frame, mask, count = tmp_path / "frame.png", tmp_path / "mask.png", 2500
    noise = np.random.default_rng(0).integers(0, 255, (128, 128, 3), np.uint8)
    Image.fromarray(noise).save(frame)
    write_mask(mask, np.pad(np.ones((64, 64), np.uint8), 32))
    frames = tuple(tmp_path / f"{index:05d}.png" for index in range(count))
    for path in frames:
        os.link(frame, path)
    sequence = SequenceFiles("long", frames, {0: GivenMask(mask)}, {}, tuple(range(count)))
    benchmark = Benchmark("folder", "val", tmp_path, (sequence,))
    held, seen = [], iter(range(count))

    def look():
        if next(seen) in (500, 2499):
            gc.collect()
            held.append(memory("VmRSS"))
        return False

    task = SequenceTask.open(benchmark, sequence)
    assert segment_sequence(MODEL, {}, task, places(tmp_path), OPTIONS, look) is not None
    assert 0 < held[1] < held[0] + 2e7
