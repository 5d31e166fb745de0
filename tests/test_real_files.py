"""Files as people have them are read alike by inference, benchmarks, scoring and training."""

import json

import numpy as np
import pytest
from mutation.sound import SIZE, draw
from PIL import Image

from mavos_jax.commands import score
from mavos_jax.config import SourceConfig
from mavos_jax.datasets import BenchmarkOptions, check_benchmark, open_benchmark, open_source
from mavos_jax.evaluation.one_video import VideoTask
from mavos_jax.evaluation.reading import read_frame, read_given
from mavos_jax.evaluation.sharing import check_sequences
from mavos_jax.media.masks import write_mask

NUM_FRAMES = 4


def write_tree(root, frame_suffix=".png", mask_suffix=".png", mode=np.uint8, **options):
    frames, masks = (root / kind / "my clip" for kind in ("JPEGImages", "Annotations"))
    for index in range(NUM_FRAMES):
        frame, mask = draw(index)
        frame = np.rot90(frame) if "exif" in options else frame
        for folder, suffix, pixels, saving in (
            (frames, frame_suffix, frame, options),
            (masks, mask_suffix, mask.astype(mode), {}),
        ):
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(folder / f"frame {index}{suffix}", **saving)


TURNED = Image.Exif()
TURNED[0x0112] = 6


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
        (".jpg", ".png", {"quality": 95, "exif": TURNED}),
        (".tif", ".png", {"exif": TURNED}),
        (".png", ".png", {"exif": TURNED}),
        (".webp", ".png", {"lossless": True, "exif": TURNED}),
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
    score.main([*paths, "--dataset", "folder", "--split", "val", "--scoring_processes", "0"])
    assert json.loads((tmp_path / "results/scores.json").read_text())["summary"]["J&F-Mean"] == 1
    assert "my clip" in capsys.readouterr().out
