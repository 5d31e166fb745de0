"""One experiment: its configuration, and how a Python file that names it ``config`` is read."""

import dataclasses
import difflib
import sys
import traceback
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, assert_never

from mavos_jax.config import network
from mavos_jax.config.checks import Check, build, require
from mavos_jax.config.data import DataConfig
from mavos_jax.config.training import TrainingConfig

_MODULE = "__mavos_config__"


@dataclasses.dataclass(frozen=True)
class InferenceConfig:
    """How videos are segmented.

    Attributes:
      max_long_edge: frames with a longer edge are shrunk to it before the network, in pixels.
      min_short_edge: frames with a shorter edge are enlarged to it before the network, in pixels,
        as far as ``max_long_edge`` allows; 0 enlarges nothing, as with the paper's networks.
      chunk_frames: frames in one compiled scan; bounds what lies on the device.
      precision: type of products and convolutions. ``tf32`` keeps float32 values and multiplies
        them faster and less exactly, where the device can. Everything else is always float32.
    """

    max_long_edge: int = 1040
    min_short_edge: int = 0
    chunk_frames: int = 8
    precision: Literal["float32", "tf32", "bfloat16"] = "float32"

    def __post_init__(self) -> None:
        check = Check("inference", self)
        check.that(self.max_long_edge >= 32, "max_long_edge", "at least 32 pixels")
        expected = f"0 or more, and no more than inference.max_long_edge ({self.max_long_edge})"
        check.that(0 <= self.min_short_edge <= self.max_long_edge, "min_short_edge", expected)
        check.positive("chunk_frames")


@dataclasses.dataclass(frozen=True)
class Experiment:
    """Everything that defines one experiment.

    Attributes:
      name: a short name, used in messages and files.
      encoder: the image encoder.
      elstt: the propagation blocks: the E-LSTT, or the LSTT of AOT.
      memory: the long-term memory.
      decoder: the mask decoder.
      align_corners: whether bilinear resizes align the corner pixels' centres; network sizes are
        then 16n + 1 and the identification bank's kernel 17x17, else 16n and 16x16.
      inference: how videos are segmented.
      data: the data of training.
      training: the recipe of training.
    """

    name: str
    encoder: network.EncoderConfig = network.MobileNetV2Config()
    elstt: network.TransformerConfig = network.ELSTTConfig()
    memory: network.MemoryConfig = network.MemoryConfig()
    decoder: network.DecoderConfig = network.DecoderConfig()
    align_corners: bool = True
    inference: InferenceConfig = InferenceConfig()
    data: DataConfig = DataConfig()
    training: TrainingConfig = TrainingConfig()

    def __post_init__(self) -> None:
        Check("", self).that(bool(self.name), "name", "a non-empty name")
        memory = self.memory
        match self.elstt:
            case network.LSTTConfig():
                expected = "'bank' or another without MCA with the transformer 'lstt'"
                require(not memory.is_modulated, "memory.policy", expected, memory.policy)
            case network.ELSTTConfig(attention_dim=key, value_dim=value):
                expected = f"a multiple of memory.num_heads ({memory.num_heads})"
                for field, size in (("attention_dim", key), ("value_dim", value)):
                    is_multiple = not memory.has_attention or size % memory.num_heads == 0
                    require(is_multiple, f"elstt.{field}", expected, size)
            case _:
                assert_never(self.elstt)


def to_dict(config: Any) -> dict[str, Any]:
    """Returns a configuration as nested dictionaries of JSON values."""
    return dataclasses.asdict(config)


def from_dict(values: Mapping[str, Any]) -> Experiment:
    """Rebuilds an :class:`Experiment` from :func:`to_dict`'s values; others take their defaults."""
    match values:
        case {"elstt": {**transformer}} if "kind" not in transformer:
            # Written when there was one transformer only.
            values = {**values, "elstt": {"kind": "elstt", **transformer}}
    return build(Experiment, values, "")


def read_config_file(path: Path) -> Experiment:
    """Runs a configuration file and returns its experiment."""
    if not path.is_file():
        raise ValueError(f"expected a configuration file, found none at {path}{_suggest(path)}")
    if path.suffix != ".py":
        raise ValueError(
            "expected a Python configuration file such as configs/mavos.py, found "
            f"{path}; are --config and --input swapped?"
        )
    try:
        names = _run(path)
    # A file that leaves with sys.exit() would otherwise end the caller without a word.
    except (Exception, SystemExit) as error:
        line = _line_of(error, path)
        where = f"{path}, line {line}" if line else f"{path}"
        text = error.msg if isinstance(error, SyntaxError) else str(error)
        raise ValueError(f"{where}: {type(error).__name__}: {' '.join(text.split())}") from error
    if "config" not in names:
        raise ValueError(f"{path}: expected an Experiment named `config`, found no such name")
    config = names["config"]
    if not isinstance(config, Experiment):
        raise ValueError(f"{path}: expected an Experiment `config`, found {type(config).__name__}")
    return config


def _run(path: Path) -> dict[str, Any]:
    """Runs Python source, which may import the configurations beside it, and returns its names."""
    code = compile(path.read_bytes(), str(path), "exec", dont_inherit=True)
    module = types.ModuleType(_MODULE)
    module.__file__ = str(path)
    folder = str(path.parent.resolve())
    before = set(sys.modules)
    sys.modules[_MODULE] = module  # dataclasses look up the module that they are defined in
    sys.path.insert(0, folder)
    try:
        exec(code, module.__dict__)
    finally:
        sys.path.remove(folder)
        del sys.modules[_MODULE]
        # Another folder's configuration of the same name must not find this one.
        for name in set(sys.modules) - before:
            file = getattr(sys.modules[name], "__file__", None)
            if file is not None and Path(file).parent == Path(folder):
                del sys.modules[name]
    return module.__dict__


def _line_of(error: BaseException, path: Path) -> int | None:
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return error.lineno
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == str(path)]
    return lines[-1] if lines else None


def _suggest(path: Path) -> str:
    found = {f.stem: f for folder in (Path("configs"), path.parent) for f in folder.glob("*.py")}
    close = difflib.get_close_matches(path.stem, found, n=1)
    return f"; did you mean {found[close[0]]}?" if close else ""
