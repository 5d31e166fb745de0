"""Weights in one file of any format, and those that come with the package."""

from __future__ import annotations

import hashlib
import io
import json
import pickle
import random
from typing import Any

import numpy as np
from mutation.archives import change_npz, change_safetensors, change_torch
from mutation.documents import change_document, odd_names
from mutation.subject import Places, Reader, Subject, put
from small_configs import MOBILENET

from mavos_jax.checkpoints.folder import load_config_of
from mavos_jax.checkpoints.mismatch import expected_shapes
from mavos_jax.checkpoints.packaged import load_default
from mavos_jax.config import to_dict
from mavos_jax.conversion.convert import computed_buffers, convert_state_dict, torch_shapes
from mavos_jax.conversion.transfer import convert_file
from mavos_jax.conversion.weight_files import read_weight_file
from mavos_jax.runtime.trees import leaves_by_path


def draw_state() -> dict[str, np.ndarray]:
    """Draws the weights of a small network, by their PyTorch names."""
    rng = np.random.default_rng(0)
    shapes = torch_shapes(MOBILENET)
    state = {name: rng.random(shape, np.float32) for name, shape in shapes.items()}
    return state | computed_buffers(MOBILENET)


def _few() -> dict[str, np.ndarray]:
    return {
        "encoder.weight": np.arange(6, dtype=np.float32).reshape(2, 3),
        "module.bias": np.ones(4, np.float16),
        "decoder.number": np.asarray(7),
        "flags": np.asarray([True, False]),
    }


class _WeightFile(Subject):
    """A file of weights; one in eight is that of a whole network."""

    name: str

    def __init__(self, places: Places) -> None:
        super().__init__(places)
        self.names = odd_names(str(places.outside))
        self.whole, self.few = self.sound()
        self.path = places.tree / self.name
        put(self.path, self.whole[0])

    def sound(self) -> tuple[list[bytes], list[bytes]]:
        """Writes files of a whole network and of a few arrays."""
        raise NotImplementedError

    def change(self, rng: random.Random, data: bytes) -> bytes:
        """Damages one of them."""
        raise NotImplementedError

    def damage(self, rng: random.Random) -> dict[str, bytes | None]:
        source = rng.choice(self.whole if rng.random() < 0.12 else self.few)
        return {self.name: self.change(rng, source)}

    def readers(self) -> tuple[Reader, ...]:
        return (self._read, self._convert)

    def _read(self) -> None:
        file = read_weight_file(self.path)
        assert file.state
        for name, array in file.state.items():
            assert isinstance(name, str)
            assert isinstance(array, np.ndarray)
        assert all(isinstance(name, str) for name in file.others)

    def _convert(self) -> None:
        output = self.places.output / "checkpoint"
        convert_file(MOBILENET, self.path, output)
        assert load_config_of(output) == MOBILENET


class Npz(_WeightFile):
    """Archives of NumPy: anybody's, and the weights that come with the package."""

    name = "weights.npz"

    def __init__(self, places: Places) -> None:
        super().__init__(places)
        variables = convert_state_dict(MOBILENET, draw_state())
        self.packaged = _npz(
            {k: x.astype(np.float16) for k, x in leaves_by_path(variables).items()}
        )
        self._put_packaged(self.packaged)
        self.is_packaged = False

    def sound(self) -> tuple[list[bytes], list[bytes]]:
        return [_npz(draw_state())], [_npz(_few()), _npz(_few(), is_compressed=True)]

    def change(self, rng: random.Random, data: bytes) -> bytes:
        return change_npz(rng, data, self.names)

    def damage(self, rng: random.Random) -> dict[str, bytes | None]:
        self.is_packaged = rng.random() < 0.15
        if not self.is_packaged:
            return super().damage(rng)
        arrays = self.change(rng, self.packaged) if rng.random() < 0.7 else self.packaged
        text = self._describe(arrays)
        if arrays is self.packaged or rng.random() < 0.3:
            text = change_document(rng, text, self.names)
        return {"packaged/tiny.npz": arrays, "packaged/tiny.json": text}

    def readers(self) -> tuple[Reader, ...]:
        return (self._load_packaged,) if self.is_packaged else super().readers()

    def _put_packaged(self, arrays: bytes) -> None:
        put(self.places.tree / "packaged/tiny.npz", arrays)
        put(self.places.tree / "packaged/tiny.json", self._describe(arrays))

    def _describe(self, arrays: bytes) -> bytes:
        checksum = hashlib.sha256(arrays).hexdigest()
        config = to_dict(MOBILENET)
        return json.dumps({"format": 1, "config": config, "sha256": checksum}).encode()

    def _load_packaged(self) -> None:
        _, variables = load_default(self.places.tree / "packaged")
        require_variables(variables, MOBILENET)


class Safetensors(_WeightFile):
    """Files of safetensors."""

    name = "weights.safetensors"

    def sound(self) -> tuple[list[bytes], list[bytes]]:
        from safetensors.numpy import save as write

        return [write(draw_state())], [write(_few()), write(_few(), {"format": "pt"})]

    def change(self, rng: random.Random, data: bytes) -> bytes:
        return change_safetensors(rng, data, self.names)


class Torch(_WeightFile):
    """PyTorch files: zips, those of the format before, pickles, and what is no state dictionary."""

    name = "weights.pth"

    def sound(self) -> tuple[list[bytes], list[bytes]]:
        import torch

        def write(value: Any, **options: Any) -> bytes:
            file = io.BytesIO()
            torch.save(value, file, **options)
            return file.getvalue()

        whole, few = (
            {name: torch.from_numpy(array) for name, array in state.items()}
            for state in (draw_state(), _few())
        )
        few["bf16"] = torch.ones(3, dtype=torch.bfloat16, requires_grad=True)
        odd = {
            1: few["flags"],
            "sparse": torch.eye(3).to_sparse(),
            "wide": torch.zeros(1).expand(1 << 40),
            "complex": torch.ones(2, dtype=torch.complex64),
            "meta": torch.ones(2, device="meta"),
            "fp8": torch.ones(2).to(torch.float8_e4m3fn),
            ("a", 1): torch.nn.Parameter(torch.ones(2)),
        }
        singles = [write({"model": {name: value}, "epoch": 3}) for name, value in odd.items()]
        old = write(few, _use_new_zipfile_serialization=False)
        plain = [pickle.dumps({"a": np.ones(2)}), pickle.dumps({"a": [1, 2.0, None]}, protocol=0)]
        sound = [write(few), write(few), write({"state_dict": few, "epoch": 3}), old, write([few])]
        return [write(whole), write({"state_dict": whole})], [*sound, *singles, *plain]

    def change(self, rng: random.Random, data: bytes) -> bytes:
        return data if rng.random() < 0.03 else change_torch(rng, data, self.names)


def require_variables(variables: Any, config: Any) -> None:
    """Fails unless variables are those of a configuration."""
    found = {name: x.shape for name, x in leaves_by_path(variables).items()}
    assert found == dict(expected_shapes(config))


def _npz(arrays: dict[str, np.ndarray], *, is_compressed: bool = False) -> bytes:
    file = io.BytesIO()
    write: Any = np.savez_compressed if is_compressed else np.savez
    write(file, **arrays)
    return file.getvalue()
