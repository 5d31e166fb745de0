"""Configuration files, overrides by the paths of fields, and the command lines of all programs."""

import contextlib
import dataclasses
import inspect
import io
import os
import re
import sys
from collections.abc import Callable, Container, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

from mavos_jax.commands.help import format_help
from mavos_jax.config import Experiment
from mavos_jax.config.checks import require_kind
from mavos_jax.config.experiment import read_config_file
from mavos_jax.runtime.files import expand_home

_Arguments = TypeVar("_Arguments")


def load_config(path: str | os.PathLike[str], overrides: Sequence[str] = ()) -> Experiment:
    """Runs a configuration file and returns its experiment with overrides applied.

    Overrides are words as on a command line, such as ``("--memory.gap", "5")``. Raises ValueError
    if the file is missing, fails or holds no experiment, or for an override of no field, or with a
    value of the wrong type or range.
    """
    require_kind("path", path, (str, os.PathLike), "the path of a configuration file")
    words = "words as on a command line, such as ('--memory.gap', '5')"
    require_kind("overrides", overrides, (list, tuple), words)
    for word in overrides:
        require_kind("overrides", word, str, words)
    base = read_config_file(Path(path))
    if not overrides:
        return base
    try:
        return _parse(None, base, overrides).experiment
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def parse_command(
    kind: type[_Arguments],
    argv: Sequence[str] | None = None,
    shown: Sequence[str] = (),
    packaged: Callable[[], Experiment] | None = None,
) -> tuple[_Arguments, Experiment | None]:
    """Parses a command line: the program's own options and the overrides of the experiment.

    The experiment, perhaps None, starts from the file of ``--config``, or else from what is stored
    in ``--checkpoint``, whose weights the file must fit, or else from the ``packaged`` one.
    ``kind`` is a frozen dataclass of options, whose docstring is the help; dataclasses in it are
    groups. ``shown`` says how the paths of fields in the help begin; all can be overridden.
    """
    words = [expand_home(word) for word in (sys.argv[1:] if argv is None else argv)]
    fields = set(inspect.signature(kind).parameters)
    config = _path_option("config", words)
    checkpoint = _path_option("checkpoint", words) if "checkpoint" in fields else None

    stored, source = None, "the packaged network"
    if checkpoint is not None:
        from mavos_jax.checkpoints.weights import load_config_of

        stored, source = load_config_of(checkpoint), str(checkpoint)
    elif config is None and packaged is not None:
        stored = packaged()
    file = None if config is None else read_config_file(config)
    base = stored if file is None else file
    if {"-h", "--help"} & set(words):
        if base is None and "config" in fields:
            base = Experiment(name="MAVOS")
        print(format_help(kind, base, shown))
        raise SystemExit(0)
    if base is None:
        _forbid_overrides(words, fields)
        return _parse(kind, None, words).arguments, None

    command = _parse(kind, base, words)
    if stored is not None:
        from mavos_jax.checkpoints.mismatch import require_same_shapes

        require_same_shapes(source, stored, command.experiment, file)
    return command.arguments, command.experiment


def parse_experiment(
    kind: type[_Arguments],
    argv: Sequence[str] | None = None,
    shown: Sequence[str] = (),
    packaged: Callable[[], Experiment] | None = None,
) -> tuple[_Arguments, Experiment]:
    """Parses a command line like :func:`parse_command`, with an experiment or a ValueError."""
    arguments, experiment = parse_command(kind, argv, shown, packaged)
    if experiment is None:
        source = _sources(inspect.signature(kind).parameters)
        raise ValueError(f"expected {source}, found none; for example --config configs/tiny.py")
    return arguments, experiment


def require_range(arguments: object, most: int | None = None, /, **least: int) -> None:
    """Raises ValueError if an option, or one of its values, is out of range; None never is."""
    for name, number in least.items():
        value = getattr(arguments, name)
        values = value if isinstance(value, tuple) else (value,)
        if not values or not all(number <= x <= (most or x) for x in values if x is not None):
            bounds = f"at least {number}" + ("" if most is None else f", at most {most}")
            found = " ".join(map(str, values)) or "none"
            raise ValueError(f"--{name}: expected {bounds}, found {found}")


def _parse(kind: type | None, base: Experiment | None, words: Sequence[str]) -> Any:
    import tyro  # the models and inference must not need it

    conf, parts = tyro.conf, []
    if kind is not None:
        # Groups are for the help alone: they put nothing in front of the names of their options.
        markers = (conf.arg(name=""), conf.FlagCreatePairsOff, conf.OmitArgPrefixes)
        parts.append(("arguments", Annotated[(kind, *markers)]))
    if base is not None:
        # An override is always a field path followed by its value, also for a boolean; of a union
        # of encoders, the options are those of the one in the configuration.
        markers = (conf.arg(name=""), conf.FlagConversionOff, conf.AvoidSubcommands)
        parts.append(("experiment", Annotated[(Experiment, *markers)], base))
    # tyro prints a box and exits; where it says why by other means, that is private.
    console = io.StringIO()
    try:
        with contextlib.redirect_stdout(console), contextlib.redirect_stderr(console), _wide():
            command = dataclasses.make_dataclass("Command", parts)
            return tyro.cli(command, args=list(words), use_underscores=True, add_help=False)
    except SystemExit:
        raise ValueError(_condense(console.getvalue())) from None


@contextlib.contextmanager
def _wide() -> Iterator[None]:
    """Makes the terminal wide: tyro breaks words that are longer, such as paths."""
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = "10000"
    try:
        yield
    finally:
        del os.environ["COLUMNS"]
        if before is not None:
            os.environ["COLUMNS"] = before


def _path_option(name: str, words: Sequence[str]) -> Path | None:
    """Returns the value of ``--name VALUE`` or ``--name=VALUE``, needed before the full parse."""
    value = None
    for word, following in zip(words, [*words, "--"][1:], strict=True):
        if word == f"--{name}" and not following.startswith("--"):
            value = following
        elif word.startswith(f"--{name}="):
            value = word.partition("=")[2]
    return None if value in (None, "None") else Path(value)


def _forbid_overrides(words: Sequence[str], fields: set[str]) -> None:
    """Raises for an override where there is no experiment; tyro would call it unknown."""
    overridable = {field.name for field in dataclasses.fields(Experiment)} - fields
    for word in words:
        option = re.match(r"--([a-z_-]+)", word)
        if option and option[1].replace("-", "_") in overridable:
            raise ValueError(f"expected {_sources(fields)} for {word} to override, found none")


def _sources(fields: Container[str]) -> str:
    return "--config FILE" + (" or --checkpoint DIR" if "checkpoint" in fields else "")


def _condense(console: str) -> str:
    sections: list[list[str]] = [[]]
    for line in map(str.strip, console.splitlines()):
        if line and not line.strip("-"):
            sections.append([])
        else:
            sections[-1].append(line)
    message, *details = sections[1:] or sections  # the title comes first
    text = _join(message)
    if text.startswith("Missing from"):
        unknown = [
            word for part in details if part and part[0].startswith("Unrec") for word in part[1:]
        ]
        text = f"expected the option {' and '.join(_options(message))}, found none"
        return text + (f"; unrecognized: {_join(unknown)}" if unknown else "")
    # A value that a configuration rejects already names its field; tyro's prefix is its group.
    text = re.sub(r"^Error parsing [a-z_.]+: ", "", text)
    options = [option for section in details for option in _options(section)]
    if text.startswith("Unrecognized") and options:
        text += f"; did you mean {' or '.join(options)}?"
    return text


def _options(lines: Sequence[str]) -> list[str]:
    return [line.split()[0].rstrip(",") for line in lines if line.startswith("--")]


def _join(lines: Sequence[str]) -> str:
    return " ".join(" ".join(lines).split())
