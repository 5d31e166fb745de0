import itertools
import pickle
import zipfile

import numpy as np
import pytest
import torch
from refusals import refuse

from mavos_jax.conversion.weight_files import read_weight_file, write_weight_file

SUFFIXES = [".pth", ".npz", ".safetensors"]
STATE = {"encoder.a": np.zeros(2, np.float32), "decoder.b": np.ones(3, np.float32)}


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"<!DOCTYPE html><html><title>Virus scan</title></html>", r"a web page \('Virus scan'\)"),
        (b"\n <HTML><body>log in</body>", "a web page.*download the file itself"),
        (b"<?xml version='1.0'?><Error/>", "a web page"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 165000000\n",
            "Git LFS pointer for a file of 165 MB; .*git lfs pull",
        ),
        (b'{"error": {"code": 404}}', "JSON"),
        (b"Please log in first.\n" * 300, "a text file that begins with 'Please log in"),
        (b"", "empty"),
        (b"\x1f\x8b\x08\0rest", "gzip.*gunzip"),
        (b"Rar!\x1a\x07", "rar"),
        (b"\x93NUMPY\x01\0", "numpy.savez"),
        (b"\x89PNG\r\n\x1a\n123", "PNG"),
        (b"PK\x03\x04", ", found"),
        (bytes(9), ", found"),
        (pickle.dumps({"a": 1}), ", found"),
    ],
)
def test_what_people_download_is_named(tmp_path, suffix, content, what):
    path = tmp_path / f"x{suffix}"
    path.write_bytes(content)
    message = refuse(rf"x\{suffix}: expected .*{what}", read_weight_file, path)
    is_pickle = suffix == ".pth" and content[:1] == b"\x80"
    assert ("could run code" in message) == is_pickle


@pytest.mark.parametrize(
    ("names", "shown"),
    [(["README", "weights/mavos.pth"], r"weights/mavos\.pth"), (["two\nlines"], "two lines")],
)
def test_a_zip_around_the_weights_names_what_is_inside(tmp_path, names, shown):
    with zipfile.ZipFile(tmp_path / "x.pth", "w") as archive:
        for name in names:
            archive.writestr(name, "content")
    refuse(f"zip archive around {shown}; unpack it", read_weight_file, tmp_path / "x.pth")


@pytest.mark.parametrize(("right", "wrong"), [*itertools.permutations(SUFFIXES, 2)])
def test_a_wrong_suffix_is_named_with_the_right_one(tmp_path, right, wrong):
    write_weight_file(tmp_path / f"x{right}", STATE)
    renamed = (tmp_path / f"x{right}").rename(tmp_path / f"y{wrong}")
    refuse(rf"rename it to y\{right}", read_weight_file, renamed)


def tensors(prefix=""):
    return {f"{prefix}{name}": torch.from_numpy(array) for name, array in STATE.items()}


@pytest.mark.parametrize(
    ("content", "prefixes"),
    [
        (tensors(), ()),
        ({"state_dict": tensors(), "step": 3, "optimizer": {"lr": [0.1]}}, ()),
        ({"model": {"state_dict": tensors()}}, ()),
        ({"model_ema": tensors()}, ()),
        (tensors("module."), ("module.",)),
        (tensors("_orig_mod."), ("_orig_mod.",)),
        ({"state_dict": tensors("module._orig_mod.")}, ("_orig_mod.", "module.")),
        ({"encoder._orig_mod.a": torch.zeros(2), "decoder.b": torch.ones(3)}, ("_orig_mod.",)),
        ({"state_dict": tensors("model."), "epoch": 3}, ("model.",)),
        (tensors("model.") | {"loss.weight": torch.zeros(1)}, ("model.",)),
        (tensors("net.module."), ("module.", "net.")),
        (tensors("model.") | tensors("ema_model."), ("model.",)),
        (tensors("ema."), ("ema.",)),
        ({"model": {"name": "mavos"}, "model_ema": tensors("module.")}, ("module.",)),
        ({"checkpoint": {"model_state_dict": tensors()}, "step": 1}, ()),
        ({"own_network": tensors(), "epoch": 3}, ()),
        ({"model": tensors(), "optimizer": {"state": {0: {"m": torch.zeros(2)}}}}, ()),
    ],
)
def test_wrappers_are_taken_off_and_said(tmp_path, content, prefixes):
    torch.save(content, tmp_path / "x.pth")
    file = read_weight_file(tmp_path / "x.pth")
    assert file.state.keys() == STATE.keys()
    np.testing.assert_array_equal(file.state["decoder.b"], np.ones(3))
    assert file.prefixes == prefixes


class Settings:
    """Stands for a configuration that somebody saved beside the weights."""


@pytest.mark.parametrize(("entry", "value"), [("args", Settings()), ("best", np.float64(3))])
def test_the_entry_that_pytorch_refuses_is_named(tmp_path, entry, value):
    torch.save({"state_dict": tensors(), entry: value}, tmp_path / "x.pth")
    refuse(f"in the entry '{entry}'.*weights_only=False", read_weight_file, tmp_path / "x.pth")
