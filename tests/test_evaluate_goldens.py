"""The script itself against results of the PyTorch code: frames from files, masks to files."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from seeded_weights import seeded_state_dict

import evaluate
import mavos_jax
from mavos_jax.checkpoints.folder import save
from mavos_jax.commands.parser import load_config
from mavos_jax.media.masks import write_mask


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    shapes = Path(__file__).parent / "goldens" / "state_dict_mavos.json"
    config = load_config("configs/mavos.py")
    variables = mavos_jax.convert_state_dict(
        config, seeded_state_dict(json.loads(shapes.read_text()))
    )
    path = tmp_path_factory.mktemp("weights") / "mavos"
    save(path, config, variables)
    return path


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("tta_mavos", ("--scales", "0.8", "1.2", "--flip")),
        # In tests/inference/test_parity.py, too, without the script.
        pytest.param("manyobj_mavos", ("--num-objects", "13"), marks=pytest.mark.campaign),
    ],
)
def test_masks_of_the_script(goldens, checkpoint, tmp_path, name, words):
    golden = goldens(name)
    (tmp_path / "frames").mkdir()
    for index, frame in enumerate(golden["frames"]):
        Image.fromarray(frame).save(tmp_path / "frames" / f"{index:05d}.png")
    write_mask(tmp_path / "first.png", golden["mask0"])
    options = {
        "--checkpoint": checkpoint,
        "--video": tmp_path / "frames",
        "--mask": tmp_path / "first.png",
        "--output": tmp_path / "out",
        "--memory.gap": int(golden["gap"]),
    }
    evaluate.main([*(str(word) for pair in options.items() for word in pair), *words])
    masks = [np.asarray(Image.open(path)) for path in sorted((tmp_path / "out/masks").iterdir())]
    np.testing.assert_array_equal(np.stack(masks)[1:], golden["masks"])
    np.testing.assert_array_equal(masks[0], golden["mask0"])
