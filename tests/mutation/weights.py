"""Weights in one file of any format, those of the package, checkpoints and training runs."""

import contextlib
import functools
import io
import json
import pickle
import shutil
import struct
from pathlib import Path

import numpy as np
import torch
from mutation.trial import Subject
from mutation.watch import put
from pack_weights import read_curve
from safetensors.numpy import load as to_arrays
from safetensors.numpy import save as to_safetensors
from seeded_weights import seeded_state
from small_configs import MOBILENET

from mavos_jax.checkpoints.description import write_description
from mavos_jax.checkpoints.mismatch import expected_shapes
from mavos_jax.checkpoints.weights import load, load_config_of, save
from mavos_jax.conversion import convert_state_dict
from mavos_jax.conversion.transfer import convert_file
from mavos_jax.conversion.weight_files import read_weight_file
from mavos_jax.runtime.files import checksum, file_checksums
from mavos_jax.runtime.trees import leaves_by_path
from mavos_jax.training.log import cut_lines
from mavos_jax.training.resume import newest_whole

_FEW = {
    "encoder.weight": np.arange(6, dtype=np.float32).reshape(2, 3),
    "module.bias": np.ones(4, np.float16),
    "decoder.number": np.asarray(7),
    "flags": np.asarray([True, False]),
}
_DESCRIPTION = "checkpoint/config.json"


def _draw_variables():
    return convert_state_dict(MOBILENET, seeded_state(MOBILENET))


def _to_torch(value, **options):
    file = io.BytesIO()
    torch.save(value, file, **options)
    return file.getvalue()


def _to_npz(arrays, write=np.savez):
    file = io.BytesIO()
    write(file, **arrays)
    return file.getvalue()


def _weight_file(name, draw_sound, places):
    """A file of weights: rarely those of a whole network, mostly another sound one."""
    whole, others = draw_sound()
    path = places.tree / name
    put(path, whole)

    def read():
        file = read_weight_file(path)
        assert file.state
        assert all(isinstance(array, np.ndarray) for array in file.state.values())
        assert all(isinstance(name, str) for name in (*file.state, *file.others))

    def convert():
        output = places.output / "checkpoint"
        convert_file(MOBILENET, path, output)
        assert load_config_of(output) == MOBILENET

    repeats = max(1, 8 // len(others))
    return Subject([(name, data) for data in (whole, *repeats * others)], (read, convert))


def _safetensors():
    whole = to_safetensors(seeded_state(MOBILENET))
    return whole, (to_safetensors(_FEW), to_safetensors(_FEW, {"format": "pt"}))


def _npz():
    whole = _to_npz(seeded_state(MOBILENET))
    return whole, (_to_npz(_FEW), _to_npz(_FEW, np.savez_compressed))


def _pth():
    """A zip; the format before, pickles, and what is no state dictionary."""
    few = {name: torch.from_numpy(array) for name, array in _FEW.items()}
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
    singles = [{"model": {name: value}, "epoch": 3} for name, value in odd.items()]
    others = (few, few, {"state_dict": few, "epoch": 3}, [few], *singles)
    old = _to_torch(few, _use_new_zipfile_serialization=False)
    plain = pickle.dumps({"a": np.ones(2)}), pickle.dumps({"a": [1, 2.0, None]}, protocol=0)
    whole = {name: torch.from_numpy(array) for name, array in seeded_state(MOBILENET).items()}
    return _to_torch({"state_dict": whole}), (*map(_to_torch, others), old, *plain)


safetensors = functools.partial(_weight_file, "weights.safetensors", _safetensors)
pth = functools.partial(_weight_file, "weights.pth", _pth)
npz = functools.partial(_weight_file, "weights.npz", _npz)


def one_file(places):
    """A checkpoint in one file, damaged as bytes or in its description."""
    path, part = places.tree / "model.safetensors", "description.json"
    save(path, MOBILENET, _draw_variables())
    sound = path.read_bytes()
    (length,) = struct.unpack_from("<Q", sound)
    described = json.loads(sound[8 : 8 + length])["__metadata__"]["mavos_jax"]

    def mend(rng, changes):
        if part not in changes:
            return changes
        text = _mend_config(rng, changes[part] or b"").decode(errors="ignore")
        return {path.name: to_safetensors(to_arrays(sound), {"mavos_jax": text})}

    readers = (functools.partial(_load, path), functools.partial(load_config_of, path))
    return Subject([(path.name, sound), (part, described.encode())], readers, mend)


def _mend_config(rng, description):
    """Has the configuration's checksum fit again, half of the time."""
    if rng.random() < 0.5:
        with contextlib.suppress(ValueError, TypeError, LookupError, RecursionError):
            values = json.loads(description)
            config = json.dumps(values["config"], sort_keys=True)
            return json.dumps(values | {"config_checksum": checksum(config)}).encode()
    return description


def checkpoint(places):
    """A checkpoint, read alone or as the newest of a run, with damaged files or description.

    Orbax names files at random; they are damaged by their order of size.
    """
    folder = places.tree / "checkpoint"
    save(folder, MOBILENET, _draw_variables())
    files = [file for file in folder.rglob("*") if file.is_file()]
    files.sort(key=lambda file: (len(file.parts), file.stat().st_size))
    # A run of two steps, whose newer one is the checkpoint.
    step = places.outside / "run" / "checkpoints" / "1"
    shutil.copytree(folder, step)
    put(step / "training" / "state", b"state")
    facts = {"checksums": file_checksums(step / "training"), "step": 1, "score": 0.5}
    write_description(step, MOBILENET, facts)

    def copy_run():
        shutil.copytree(places.outside / "run", places.output / "run")
        shutil.copytree(folder, places.output / "run" / "checkpoints" / "2")
        return places.output / "run"

    def choose_best():
        load_config_of(copy_run())

    def go_on():
        run = copy_run()
        assert newest_whole(run) in (1, 2)
        load_config_of(run)

    def mend(rng, changes):
        if _DESCRIPTION not in changes:
            return changes
        return {_DESCRIPTION: _mend_config(rng, changes[_DESCRIPTION])}

    load_it = functools.partial(_load, folder)
    files += len(files) * [places.tree / _DESCRIPTION]
    sources = [(file.relative_to(places.tree).as_posix(), file.read_bytes()) for file in files]
    # Readers see the whole run, a copy elsewhere, which messages name.
    return Subject(sources, (load_it, choose_best, go_on), mend, needs_name=False)


def _load(path):
    """Loads a checkpoint, whose variables must be those of its configuration."""
    model, variables = load(path)
    found = {name: x.shape for name, x in leaves_by_path(variables).items()}
    assert found == dict(expected_shapes(model.config))


def metrics(places):
    """What a training run has logged, which is cut when it goes on, and packed with weights."""
    path = places.tree / "metrics.jsonl"
    line = b'{"step": %d, "kind": "train", "loss": 2.5, "frame_ious": [1.0, 0.5, 0.25]}\n'
    put(path, line % 1 + line % 2)

    def cut():
        cut_lines(Path(shutil.copy(path, places.output)), 1)

    def read():
        assert isinstance(read_curve(path), dict)

    return Subject([(path.name, path.read_bytes())], (cut, read), needs_name=False)
