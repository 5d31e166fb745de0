"""Checkpoints, and folders of training runs."""

from __future__ import annotations

import json
import random
import shutil
import tempfile
from pathlib import Path
from typing import Any

from mutation.changes import change_bytes
from mutation.documents import change_document, change_text, change_value, dump, odd_names
from mutation.subject import Places, Reader, Subject, put
from mutation.weight_subjects import draw_state, require_variables
from small_configs import BANK, LSTT, MOBILENET, RESNET

from mavos_jax.checkpoints.description import write_description
from mavos_jax.checkpoints.folder import load, load_config_of, save
from mavos_jax.commands.pack_weights import read_curve
from mavos_jax.config import to_dict
from mavos_jax.conversion.convert import convert_state_dict
from mavos_jax.runtime.checksums import checksum, file_checksums
from mavos_jax.training.log import cut_lines
from mavos_jax.training.resume import newest_whole

_METRICS = b"".join(
    b'{"step": %d, "kind": "train", "loss": 2.5, "frame_ious": [1.0, 0.5, 0.25]}\n' % step
    for step in (1, 2)
)


class Checkpoint(Subject):
    """A checkpoint, and the newest one of a training run, which is read to go on with it.

    Orbax names files at random; they are damaged by their order of size.
    """

    needs_name = False  # of the run, a copy is read

    def __init__(self, places: Places) -> None:
        super().__init__(places)
        self.names = odd_names(str(places.outside))
        self.folder = places.tree / "checkpoint"
        save(self.folder, MOBILENET, convert_state_dict(MOBILENET, draw_state()))
        files = [file for file in self.folder.rglob("*") if file.is_file()]
        files.sort(key=lambda file: (len(file.parts), file.stat().st_size))
        self.sound = {f.relative_to(places.tree).as_posix(): f.read_bytes() for f in files}
        put(places.tree / "metrics.jsonl", _METRICS)
        self.run, self.is_metrics = self._write_run(), False

    def damage(self, rng: random.Random) -> dict[str, bytes | None]:
        self.may_speak, self.is_metrics = False, rng.random() < 0.1
        if self.is_metrics:
            metrics = (self.places.tree / "metrics.jsonl").read_bytes()
            if rng.random() < 0.5:
                return {"metrics.jsonl": change_bytes(rng, metrics)}
            lines = metrics.splitlines(keepends=True)
            changed_line = change_document(rng, lines[0], self.names) + b"\n"
            return {"metrics.jsonl": changed_line + lines[1]}
        config = "checkpoint/config.json"
        if rng.random() < 0.5:
            return {config: self._change_config(rng, self.sound[config])}
        name, other = rng.choice(list(self.sound)), rng.choice(list(self.sound))
        changed: dict[str, bytes | None] = {}
        match rng.randrange(8):
            case 0:
                changed = {name: None}
            case 1:
                changed = {name: self.sound[other], other: self.sound[name]}
            case 2:
                changed = {f"{name}/file": b"", name: None}
            case 3:
                changed = {f"checkpoint/weights/{rng.choice(('a', 'd/b', 'default'))}": b"more"}
            case 4 if name.startswith("checkpoint/weights/_"):
                changed = {name: change_document(rng, self.sound[name], self.names)}
            case _:
                changed = {name: change_bytes(rng, self.sound[name])}
        # Damage that has the right checksums reaches Orbax, whose threads may complain.
        self.may_speak = rng.random() < 0.6 and config not in changed
        if self.may_speak:
            changed[config] = self._mend_checksums(changed)
        return changed

    def readers(self) -> tuple[Reader, ...]:
        if self.is_metrics:
            return (self._cut, self._read_curve)
        return (self._load, self._choose_best, self._go_on)

    def _change_config(self, rng: random.Random, text: bytes) -> bytes:
        """Damages the description: half of the time with a checksum that fits again."""
        match rng.randrange(6):
            case 0 | 1 | 2:
                return change_document(rng, text, self.names)
            case 3:
                return change_text(rng, text)
            case 4:
                other = to_dict(rng.choice((RESNET, BANK, LSTT)))
                config = to_dict(MOBILENET)
                for field in rng.sample(list(other), rng.randint(1, 3)):
                    config[field] = other[field]
            case _:
                config = change_value(rng, json.loads(text)["config"], self.names)
        stored = checksum(json.dumps(_plain(config), sort_keys=True))
        values = json.loads(text) | {"config": config, "config_checksum": stored}
        return dump(values)

    def _mend_checksums(self, changed: dict[str, bytes | None]) -> bytes:
        values = json.loads(self.sound["checkpoint/config.json"])
        with tempfile.TemporaryDirectory() as name:
            for path, data in ({**self.sound, **changed}).items():
                if data is not None and path.startswith("checkpoint/weights/"):
                    put(Path(name) / path.removeprefix("checkpoint/weights/"), data)
            values["checksums"] = file_checksums(Path(name)) or {"a": "0"}
        return json.dumps(values).encode()

    def _load(self) -> None:
        model, variables = load(self.folder)
        require_variables(variables, model.config)

    def _write_run(self) -> Path:
        """Writes a run of two steps, whose newer one is the checkpoint."""
        run = self.places.outside / "run"
        step = run / "checkpoints" / "1"
        shutil.copytree(self.folder, step)
        put(step / "training" / "state", b"state")
        others = {"checksums": file_checksums(step / "training"), "step": 1, "score": 0.5}
        write_description(step, MOBILENET, others)
        return run

    def _copy_run(self) -> Path:
        run = self.places.output / "run"
        shutil.copytree(self.run, run)
        shutil.copytree(self.folder, run / "checkpoints" / "2")
        return run

    def _choose_best(self) -> None:
        load_config_of(self._copy_run())

    def _go_on(self) -> None:
        run = self._copy_run()
        newest = newest_whole(run)
        assert newest in (1, 2)
        load_config_of(run)

    def _cut(self) -> None:
        file = self.places.output / "metrics.jsonl"
        shutil.copyfile(self.places.tree / "metrics.jsonl", file)
        cut_lines(file, 1)

    def _read_curve(self) -> None:
        assert isinstance(read_curve(self.places.tree / "metrics.jsonl"), dict)


def _plain(value: Any) -> Any:
    """The value that JSON gives back, where it has one."""
    try:
        return json.loads(dump(value))
    except (ValueError, RecursionError):
        return None
