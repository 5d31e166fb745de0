"""Pictures, masks and videos, as inference, benchmarks and training read them."""

import functools
import itertools

from mutation.sound import SIZE, draw, write_videos
from mutation.trial import Subject, require_array, require_lines
from mutation.watch import put

from mavos_jax.commands import masks as masks_command
from mavos_jax.config import SourceConfig
from mavos_jax.datasets import BenchmarkOptions, check_benchmark, open_benchmark, open_source
from mavos_jax.evaluation.one_video import VideoTask
from mavos_jax.evaluation.reading import read_given
from mavos_jax.evaluation.sharing import check_sequences
from mavos_jax.media.frames import open_frames
from mavos_jax.media.masks import read_mask, read_values, write_mask


def segment(root):
    task = VideoTask.open(root, None)
    for frame in task.frames:
        require_array(frame, (*SIZE, 3))
    require_array(task.mask, SIZE)
    if task.palette is not None:
        require_array(task.palette, (256, 3))


def evaluate(root):
    benchmark = open_benchmark(BenchmarkOptions("folder", "val", root))
    (task,) = check_sequences(benchmark, None)
    for index in range(len(task.sequence.frames)):
        require_array(task.frame(index), (*task.stored, 3))
    for index in task.sequence.given:
        require_array(read_given(benchmark, task.sequence, index, task.stored)[0], task.stored)


def train(root):
    video = open_source(SourceConfig("folder", str(root)))[0]
    for index in range(len(video)):
        sample = video[index]
        require_array(sample.frame, (*SIZE, 3))
        for mask in (sample.mask, video.mask(index)):
            require_array(mask, SIZE)


def check(root):
    require_lines(check_benchmark(BenchmarkOptions("folder", "val", root)), root)


def pictures(suffix, sound, places):
    """A sequence of frames and masks, one of which is damaged."""
    sources, masks = sound(), places.tree / "Annotations/s"
    names = [f"JPEGImages/s/{index:05d}{suffix}" for index in (0, 1)]
    names += [f"Annotations/s/{index:05d}.png" for index in (0, 1)]
    for index in range(3):
        put(places.tree / f"JPEGImages/s/{index:05d}{suffix}", sources[0])
        write_mask(masks / f"{index:05d}.png", draw(index)[1])

    def read_masks():
        for path in sorted(masks.iterdir()):
            require_array(read_mask(path, SIZE, allow_empty=True, is_drawn=False)[0], SIZE)

    def convert():
        output = places.output / "ids"
        masks_command.main(["--input", str(masks), "--output", str(output)])
        for path in sorted(output.iterdir()):
            ids, palette = read_values(path)
            require_array(ids, ids.shape[:2])
            assert palette is not None

    readers = [functools.partial(door, places.tree) for door in (segment, evaluate, train, check)]
    return Subject(list(itertools.product(names, sources)), (*readers, read_masks, convert))


def video(places):
    """Video files, most of them MP4."""

    def read():
        for path in places.tree.iterdir():
            frames = open_frames(path)
            for number, frame in enumerate(frames):
                require_array(frame, (*frames.size, 3))
                assert number < 1000, "more frames than there can be"

    return Subject(write_videos(), [read])
