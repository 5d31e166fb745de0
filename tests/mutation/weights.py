"""Weights in one file of any format, those of the package, checkpoints and training runs."""

import contextlib
import hashlib
import io
import json
import pickle
import shutil
from pathlib import Path

import numpy as np
import torch
from mutation.archives import change_npz, change_safetensors, change_torch
from mutation.changes import change_bytes
from mutation.documents import change_document, change_value, dump, odd_names
from mutation.trial import Damage
from mutation.watch import put
from pack_weights import read_curve
from safetensors.numpy import save as to_safetensors
from seeded_weights import seeded_state_dict
from small_configs import BANK, LSTT, MOBILENET, RESNET, vary

from mavos_jax.checkpoints.description import write_description
from mavos_jax.checkpoints.folder import load, load_config_of, save
from mavos_jax.checkpoints.mismatch import expected_shapes
from mavos_jax.checkpoints.packaged import load_default, to_arrays, write_default
from mavos_jax.config import to_dict
from mavos_jax.conversion.convert import computed_buffers, convert_state_dict, torch_shapes
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
_METRICS = [
    b'{"step": %d, "kind": "train", "loss": 2.5, "frame_ious": [1.0, 0.5, 0.25]}\n' % step
    for step in (1, 2)
]


def _draw_state():
    """Draws the weights of a small network, by their PyTorch names."""
    return seeded_state_dict(torch_shapes(MOBILENET)) | computed_buffers(MOBILENET)


def _draw_variables():
    return convert_state_dict(MOBILENET, _draw_state())


def _sound_torch():
    """Writes zips, the format before, pickles, and what is no state dictionary."""
    whole, few = (
        {name: torch.from_numpy(array) for name, array in state.items()}
        for state in (_draw_state(), _FEW)
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
    singles = [{"model": {name: value}, "epoch": 3} for name, value in odd.items()]
    others = [few, few, {"state_dict": few, "epoch": 3}, [few], *singles]
    old = _to_torch(few, _use_new_zipfile_serialization=False)
    plain = [pickle.dumps({"a": np.ones(2)}), pickle.dumps({"a": [1, 2.0, None]}, protocol=0)]
    wholes = [_to_torch(whole), _to_torch({"state_dict": whole})]
    return wholes, [*map(_to_torch, others), old, *plain]


def _to_torch(value, **options):
    file = io.BytesIO()
    torch.save(value, file, **options)
    return file.getvalue()


def _to_npz(arrays, write=np.savez):
    file = io.BytesIO()
    write(file, **arrays)
    return file.getvalue()


def _weight_file(places, name, whole, few, change):
    """A file of weights; one in eight is that of a whole network."""
    names = odd_names(places.outside)
    path = places.tree / name
    put(path, whole[0])

    def read():
        file = read_weight_file(path)
        assert file.state
        assert all(isinstance(array, np.ndarray) for array in file.state.values())
        assert all(isinstance(name, str) for name in (*file.state, *file.others))

    def convert():
        output = places.output / "checkpoint"
        convert_file(MOBILENET, path, output)
        assert load_config_of(output) == MOBILENET

    def damage(rng):
        source = rng.choice(whole if rng.random() < 0.12 else few)
        data = source if rng.random() < 0.03 else change(rng, source, names)
        return Damage({name: data}, (read, convert))

    return damage


def safetensors(places):
    whole = [to_safetensors(_draw_state())]
    few = [to_safetensors(_FEW), to_safetensors(_FEW, {"format": "pt"})]
    return _weight_file(places, "weights.safetensors", whole, few, change_safetensors)


def pth(places):
    return _weight_file(places, "weights.pth", *_sound_torch(), change_torch)


def npz(places):
    few = [_to_npz(_FEW), _to_npz(_FEW, np.savez_compressed)]
    return _weight_file(places, "weights.npz", [_to_npz(_draw_state())], few, change_npz)


def packaged(places):
    """The weights that come with the package, described by a checksum that mostly fits again."""
    config = vary(MOBILENET, name="tiny")
    files = write_default(places.tree, config, to_arrays(_draw_variables()), {})
    (arrays, text), names = (file.read_bytes() for file in files), odd_names(places.outside)

    def read():
        _require_variables(load_default(places.tree)[1], MOBILENET)

    def damage(rng):
        changed = change_npz(rng, arrays, names) if rng.random() < 0.7 else arrays
        hashed = {"sha256": hashlib.sha256(changed).hexdigest()}
        described = json.dumps(json.loads(text) | hashed).encode()
        if changed is arrays or rng.random() < 0.3:
            described = change_document(rng, described, names)
        return Damage({files[0].name: changed, files[1].name: described}, [read])

    return damage


def checkpoint(places):
    """A checkpoint, and the newest one of a training run, which is read to go on with it.

    Orbax names files at random; they are damaged by their order of size.
    """
    names, folder = odd_names(places.outside), places.tree / "checkpoint"
    save(folder, MOBILENET, _draw_variables())
    files = [file for file in folder.rglob("*") if file.is_file()]
    files.sort(key=lambda file: (len(file.parts), file.stat().st_size))
    sound = {f.relative_to(places.tree).as_posix(): f.read_bytes() for f in files}
    # A run of two steps, whose newer one is the checkpoint.
    step = places.outside / "run" / "checkpoints" / "1"
    shutil.copytree(folder, step)
    put(step / "training" / "state", b"state")
    facts = {"checksums": file_checksums(step / "training"), "step": 1, "score": 0.5}
    write_description(step, MOBILENET, facts)

    def load_it():
        model, variables = load(folder)
        _require_variables(variables, model.config)

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

    def damage(rng):
        config, may_speak = "checkpoint/config.json", False
        if rng.random() < 0.5:
            files = {config: _change_config(rng, sound[config], names)}
        else:
            files = _change_files(rng, sound, names)
            # Damage that has the right checksums reaches Orbax, whose threads may complain.
            if may_speak := config not in files and rng.random() < 0.6:
                files[config] = _mend_checksums(sound[config], sound | files)
        readers = (load_it, choose_best, go_on)
        return Damage(files, readers, needs_name=False, may_speak=may_speak)  # of the run, a copy

    return damage


def _change_config(rng, text, names):
    """Damages the description: half of the time with a checksum that fits again."""
    if rng.random() < 0.5:
        return change_document(rng, text, names)
    values = json.loads(text)
    if rng.random() < 0.5:
        other = to_dict(rng.choice((RESNET, BANK, LSTT)))
        fields = rng.sample(list(other), rng.randint(1, 3))
        values["config"] |= {field: other[field] for field in fields}
    else:
        values["config"] = change_value(rng, values["config"], names)
    with contextlib.suppress(ValueError, RecursionError):
        plain = json.loads(dump(values["config"]))
        values["config_checksum"] = checksum(json.dumps(plain, sort_keys=True))
    return dump(values)


def _change_files(rng, sound, names) -> dict[str, bytes | None]:
    name, other = rng.choice(list(sound)), rng.choice(list(sound))
    damaged = change_bytes(rng, sound[name])
    if name.startswith("checkpoint/weights/_") and rng.random() < 0.5:
        damaged = change_document(rng, sound[name], names)
    changes = (
        {name: None},
        {name: sound[other], other: sound[name]},
        {f"{name}/file": b"", name: None},
        {f"checkpoint/weights/{rng.choice(('a', 'd/b', 'default'))}": b"more"},
        *4 * ({name: damaged},),
    )
    return rng.choice(changes)


def _mend_checksums(text, files):
    weights = "checkpoint/weights/"
    checksums = {
        name.removeprefix(weights): checksum(data)
        for name, data in files.items()
        if data is not None and name.startswith(weights)
    }
    return json.dumps(json.loads(text) | {"checksums": checksums}).encode()


def _require_variables(variables, config):
    """Fails unless variables are those of a configuration."""
    found = {name: x.shape for name, x in leaves_by_path(variables).items()}
    assert found == dict(expected_shapes(config))


def metrics(places):
    """What a training run has logged, which is cut when it goes on, and packed with weights."""
    path, names = places.tree / "metrics.jsonl", odd_names(places.outside)
    put(path, b"".join(_METRICS))

    def cut():
        cut_lines(Path(shutil.copy(path, places.output)), 1)

    def read():
        assert isinstance(read_curve(path), dict)

    def damage(rng):
        first, second = _METRICS
        texts = (
            change_bytes(rng, first + second),
            change_document(rng, first, names) + b"\n" + second,
        )
        return Damage({path.name: rng.choice(texts)}, (cut, read), needs_name=False)

    return damage
