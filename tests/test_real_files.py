"""Files as people have them are read alike by inference, benchmarks, scoring and training."""

import json

import numpy as np
import pytest
from PIL import Image
from video_files import QUARTERS, add_stream, encode, remux, set_matrix, write_quarters

from mavos_jax.config import SourceConfig
from mavos_jax.data.benchmarks import BenchmarkOptions, check_benchmark, open_benchmark
from mavos_jax.data.sets import open_source
from mavos_jax.evaluation import score
from mavos_jax.evaluation.benchmark_files import read_frame, read_given
from mavos_jax.evaluation.benchmark_run import check_sequences
from mavos_jax.evaluation.video_task import VideoTask
from mavos_jax.media.masks import write_mask

SIZE = (48, 64)
NUM_FRAMES = 4


def draw(index):
    """A smooth frame, and two objects that move over it."""
    rows, columns = np.indices(SIZE)
    frame = np.stack([rows * 4, columns * 3, rows + columns + 20 * index], -1).astype(np.uint8)
    mask = np.zeros(SIZE, np.uint8)
    mask[6 + index : 20 + index, 8:24], mask[24:40, 30 + index : 50 + index] = 1, 2
    return frame, mask


def write_tree(root, frame_suffix, mask_suffix, mode=None, exif=None, **options):
    """Writes a sequence whose frames and masks have some format."""
    for index in range(NUM_FRAMES):
        frame, mask = draw(index)
        stored = np.rot90(frame) if exif else frame
        picture, ids = Image.fromarray(stored), Image.fromarray(mask)
        if mode is not None:
            ids = Image.fromarray(mask.astype(mode))
        for kind, suffix, image in (
            ("JPEGImages", frame_suffix, picture),
            ("Annotations", mask_suffix, ids),
        ):
            path = root / kind / "my clip" / f"frame {index}{suffix}"
            path.parent.mkdir(parents=True, exist_ok=True)
            own = {**options, "exif": exif} if kind == "JPEGImages" and exif else options
            image.save(path, **(own if kind == "JPEGImages" else {}))


def turned_by_exif(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


@pytest.mark.parametrize(
    ("frames", "masks", "options"),
    [
        (".png", ".png", {}),
        (".PNG", ".PNG", {}),
        (".tif", ".tif", {"mode": np.uint16, "compression": "tiff_lzw"}),
        (".TIFF", ".png", {"mode": np.uint16}),
        (".tif", ".tif", {"mode": np.int32}),
        (".webp", ".bmp", {"lossless": True}),
        (".bmp", ".gif", {}),
        (".jp2", ".pgm", {"irreversible": False}),
        (".avif", ".png", {"quality": 90}),
        (".jpg", ".png", {"quality": 95, "exif": turned_by_exif(6)}),
        (".tif", ".png", {"exif": turned_by_exif(6)}),
        (".png", ".png", {"exif": turned_by_exif(6)}),
        (".webp", ".png", {"lossless": True, "exif": turned_by_exif(6)}),
    ],
)
def test_one_tree_is_read_alike_by_all(tmp_path, capsys, frames, masks, options):
    write_tree(tmp_path / "set", frames, masks, **options)
    is_lossy = frames in (".jpg", ".avif")

    options = BenchmarkOptions("folder", "val", tmp_path / "set")
    assert check_benchmark(options) == []
    benchmark = open_benchmark(options)
    (sequence,) = (task.sequence for task in check_sequences(benchmark, None))
    task = VideoTask.open(tmp_path / "set", None)
    video = open_source(SourceConfig("folder", str(tmp_path / "set")))[0]
    assert len(video) == len(sequence.frames) == task.frames.num_frames == NUM_FRAMES
    for index, frame in enumerate(task.frames):
        expected, mask = draw(index)
        error = np.abs(frame.astype(int) - expected).mean()
        assert error < 6 if is_lossy else error == 0
        np.testing.assert_array_equal(read_frame(benchmark, sequence.frames[index]), frame)
        np.testing.assert_array_equal(video[index].frame, frame)
        np.testing.assert_array_equal(video[index].mask, mask)
        np.testing.assert_array_equal(video.mask(index), mask)
    np.testing.assert_array_equal(task.mask, draw(0)[1])
    given, _ = read_given(benchmark, sequence, 0, SIZE)
    np.testing.assert_array_equal(given, task.mask)

    for index in range(NUM_FRAMES):
        write_mask(tmp_path / f"results/my clip/frame {index}.png", draw(index)[1])
    paths = ["--results", str(tmp_path / "results"), "--root", str(tmp_path / "set")]
    score.main([*paths, "--dataset", "folder", "--split", "val", "--processes", "0"])
    assert json.loads((tmp_path / "results/scores.json").read_text())["summary"]["J&F-Mean"] == 1
    assert "my clip" in capsys.readouterr().out
