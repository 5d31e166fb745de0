"""The script itself against results of the PyTorch code: frames from files, masks to files."""

import numpy as np
from PIL import Image
from seeded_weights import seeded_network

import evaluate
from mavos_jax.checkpoints.weights import save
from mavos_jax.media.masks import write_mask
from mavos_jax.media.results import write_picture


def test_masks_of_the_script(goldens, tmp_path):
    save(tmp_path / "mavos", *seeded_network("mavos"))
    golden = goldens("tta_mavos")
    for index, frame in enumerate(golden["frames"]):
        write_picture(tmp_path / "frames" / f"{index:05d}.png", frame)
    write_mask(tmp_path / "first.png", golden["mask0"])
    words = ("--checkpoint", tmp_path / "mavos", "--memory.gap", int(golden["gap"]))
    words += ("--video", tmp_path / "frames", "--mask", tmp_path / "first.png")
    words += ("--output", tmp_path / "out", "--scales", 0.8, 1.2, "--flip")
    evaluate.main([str(word) for word in words])
    masks = [np.asarray(Image.open(path)) for path in sorted((tmp_path / "out/masks").iterdir())]
    np.testing.assert_array_equal(np.stack(masks)[1:], golden["masks"])
    np.testing.assert_array_equal(masks[0], golden["mask0"])
