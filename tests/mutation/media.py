"""Pictures, masks and videos, as inference, benchmarks and training read them."""

from mutation.boxes import change_video, other_videos, sound_videos
from mutation.changes import change_bytes
from mutation.pictures import SIZE, draw_mask
from mutation.trial import Damage, put, require_array, require_lines

from mavos_jax.commands import masks as masks_command
from mavos_jax.config import SourceConfig
from mavos_jax.datasets import BenchmarkOptions, check_benchmark, open_benchmark, open_source
from mavos_jax.evaluation.reading import read_given
from mavos_jax.evaluation.sharing import check_sequences
from mavos_jax.media.frames import open_frames
from mavos_jax.media.masks import read_mask, read_values, write_mask
from mavos_jax.media.sequence import open_sequence

_NUM_FRAMES = 3


def pictures(suffix, sound, change, places):
    """A sequence of frames and masks, one of which is damaged."""
    sources = sound()
    frames, masks = places.tree / "JPEGImages/s", places.tree / "Annotations/s"
    for index in range(_NUM_FRAMES):
        put(frames / f"{index:05d}{suffix}", sources[0])
        write_mask(masks / f"{index:05d}.png", draw_mask())
    options = BenchmarkOptions("folder", "val", places.tree)

    def segment():
        sequence = open_sequence(frames)
        for frame in sequence.frames:
            require_array(frame, (*SIZE, 3))
        ids, palette = read_mask(sequence.annotations[0], SIZE)
        require_array(ids, SIZE)
        if palette is not None:
            require_array(palette, (256, 3))

    def read_masks():
        for path in sorted(masks.iterdir()):
            require_array(read_mask(path, SIZE, allow_empty=True, is_drawn=False)[0], SIZE)

    def evaluate():
        benchmark = open_benchmark(options)
        (task,) = check_sequences(benchmark, None)
        for index in range(len(task.sequence.frames)):
            require_array(task.frame(index), (*task.stored, 3))
        for index in task.sequence.given:
            ids, _ = read_given(benchmark, task.sequence, index, task.stored)
            require_array(ids, task.stored)

    def train():
        video = open_source(SourceConfig("folder", str(places.tree)))[0]
        for index in range(len(video)):
            sample = video[index]
            require_array(sample.frame, (*SIZE, 3))
            for mask in (sample.mask, video.mask(index)):
                require_array(mask, SIZE)

    def check():
        require_lines(check_benchmark(options), places.tree)

    def convert():
        output = places.output / "ids"
        masks_command.main(["--input", str(masks), "--output", str(output)])
        for path in sorted(output.iterdir()):
            ids, palette = read_values(path)
            require_array(ids, ids.shape[:2])
            assert palette is not None

    def damage(rng):
        content = change(rng, rng.choice(sources))
        name = f"{rng.choice((0, 0, 1)):05d}"
        names = f"JPEGImages/s/{name}{suffix}", f"Annotations/s/{name}.png"
        readers = segment, read_masks, evaluate, train, check, convert
        return Damage({rng.choice(names): content}, readers)

    return damage


def video(places):
    """Video files, most of them MP4."""
    sound, others = sound_videos(), other_videos()
    put(places.tree / "clip.mp4", sound["h264 mp4"])

    def damage(rng):
        change, files = (change_bytes, others) if rng.random() < 0.15 else (change_video, sound)
        word = rng.choice(list(files))
        name = f"clip.{word.split()[1]}"

        def read():
            frames = open_frames(places.tree / name)
            for number, frame in enumerate(frames):
                require_array(frame, (*frames.size, 3))
                assert number < 1000, "more frames than there can be"

        return Damage({name: change(rng, files[word])}, [read])

    return damage
