import errno
import os
import pickle
import sys

import numpy as np
import pytest
import torch
from refusals import refuse

from mavos_jax.conversion.weight_files import read_weight_file, write_weight_file

STATE = {
    "a.weight": np.arange(6, dtype=np.float32).reshape(2, 3),
    "a.index": np.arange(4).reshape(2, 2),
    "b.scalar": np.array(2.5, np.float32),
}


def assert_same(found, expected=STATE):
    assert set(found) == set(expected)
    for name, array in expected.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)


@pytest.mark.parametrize("suffix", [".pth", ".pt", ".npz", ".safetensors"])
def test_every_format_gives_back_what_was_written(tmp_path, suffix):
    path = tmp_path / "new" / f"weights{suffix}"
    write_weight_file(path, STATE)
    assert_same(read_weight_file(path).state)
    assert [p.name for p in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize(("number", "kind"), [(errno.EINVAL, ValueError), (errno.EIO, OSError)])
def test_a_damaged_position_is_damage_and_a_failing_disk_is_not(
    tmp_path, monkeypatch, number, kind
):
    torch.save({"a": torch.zeros(2)}, tmp_path / "x.pth")

    def fail(path, **options):
        raise OSError(number, os.strerror(number), str(path))

    monkeypatch.setattr(torch, "load", fail)
    with pytest.raises(kind, match=r"x\.pth"):
        read_weight_file(tmp_path / "x.pth")


def test_entries_beside_the_tensors_are_named(tmp_path):
    tensors = {"a": torch.zeros(2)}
    wrapped = {"state_dict": tensors | {"b": 1}, "optimizer": {"lr": [0.1]}}
    for state, others in ((tensors | {"epoch": 3}, ("epoch",)), (wrapped, ("optimizer", "b"))):
        torch.save(state, tmp_path / "x.pth")
        file = read_weight_file(tmp_path / "x.pth")
        assert_same(file.state, {"a": np.zeros(2, np.float32)})
        assert file.others == others


def test_parameters_and_brain_floats_become_arrays(tmp_path):
    values = torch.tensor([1.0, 2.5])
    content = {"a": torch.nn.Parameter(values), "b": values.to(torch.bfloat16)}
    torch.save(content, tmp_path / "x.pth")
    assert_same(read_weight_file(tmp_path / "x.pth").state, dict.fromkeys("ab", values.numpy()))


class Dangerous:
    def __reduce__(self):
        return (print, ("code ran",))


@pytest.mark.parametrize("value", [Dangerous(), {"a": np.zeros(2)}], ids=["code", "arrays"])
def test_pickled_code_does_not_run(tmp_path, capsys, value):
    path, match = tmp_path / "x.pth", r"x\.pth: .*could run code; save the tensors"
    torch.save({"model": value}, path)
    refuse(match, read_weight_file, path)
    for protocol in (0, 2, 4):
        content = pickle.dumps(value, protocol)
        path.write_bytes(content)
        refuse(match, read_weight_file, path)
        path.write_bytes(content[:-5])
        refuse(r"x\.pth: expected a PyTorch file of tensors, found ", read_weight_file, path)
    assert "code ran" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "match"),
    [
        *((x, "named tensors") for x in ({}, {"epoch": 3}, [torch.zeros(2)], torch.zeros(2))),
        ({"a": torch.zeros(2), "module.a": torch.ones(2)}, r"with and without 'module\.'"),
    ],
)
def test_files_without_named_tensors_are_refused(tmp_path, content, match):
    torch.save(content, tmp_path / "x.pth")
    refuse(rf"x\.pth: .*{match}", read_weight_file, tmp_path / "x.pth")


def test_missing_files_and_folders_are_refused(tmp_path):
    refuse("found nothing", read_weight_file, tmp_path / "x.pth")
    refuse("found a folder", read_weight_file, tmp_path)


def test_a_missing_package_is_named_with_the_fix(tmp_path, monkeypatch):
    write_weight_file(tmp_path / "x.pth", STATE)
    monkeypatch.setitem(sys.modules, "torch", None)
    refuse("pip install torch", read_weight_file, tmp_path / "x.pth")
    refuse("pip install torch", write_weight_file, tmp_path / "y.pth", STATE)
    assert not (tmp_path / "y.pth").exists()


def test_failed_write_leaves_what_was_there(tmp_path, monkeypatch):
    path = tmp_path / "x.npz"
    write_weight_file(path, STATE)

    def fill_disk(file, **arrays):
        file.write(b"half")
        raise OSError("No space left on device")

    monkeypatch.setattr(np, "savez", fill_disk)
    with pytest.raises(OSError, match="No space left"):
        write_weight_file(path, {"a": np.zeros(2)})
    assert_same(read_weight_file(path).state)
    assert [p.name for p in tmp_path.iterdir()] == ["x.npz"]
