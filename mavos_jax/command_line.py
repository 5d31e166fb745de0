"""Configuration files, their overrides, and the command lines of the scripts.

Every field of an :class:`~mavos_jax.config.Experiment` is an option named by its path, for example
``--memory.gap 5``, ``--align_corners False`` or ``--encoder.depths 3 4 6``.
"""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
import inspect
import io
import os
import re
import runpy
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

from mavos_jax.config import Experiment
from mavos_jax.mismatch import compare_shapes

_Arguments = TypeVar("_Arguments")

_NUM_NAMED_CHANGES = 3


def load_config(path: str | os.PathLike[str], overrides: Sequence[str] = ()) -> Experiment:
    """Runs a configuration file and returns its experiment with overrides applied.

    Args:
      path: a Python file that names its :class:`~mavos_jax.config.Experiment` ``config``.
      overrides: words as on a command line, for example ``("--memory.gap", "5")``.

    Raises:
      ValueError: the file is missing, fails or holds no experiment, or an override names no field
        or gives a value of the wrong type or range.
    """
    base = _run_config(Path(path))
    if not overrides:
        return base
    # tyro prints what is wrong and exits; a caller from Python gets the same words as an exception.
    # Its layout depends on the standard output, so that is redirected with the errors.
    console = io.StringIO()
    try:
        with contextlib.redirect_stdout(console), contextlib.redirect_stderr(console):
            return _parse(None, base, overrides, add_help=False).experiment
    except SystemExit:
        raise ValueError(f"{path}: {_condense(console.getvalue())}") from None
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def parse_command(
    kind: type[_Arguments], argv: Sequence[str] | None = None
) -> tuple[_Arguments, Experiment | None]:
    """Parses a script's command line: its own options and the overrides of the experiment.

    The experiment starts from the file of ``--config``, or else from the configuration stored in
    ``--checkpoint``. With both, the file counts, and must fit the checkpoint's parameters.

    Args:
      kind: a frozen dataclass of the script's options with a field ``config: Path | None`` and, if
        the script reads checkpoints, ``checkpoint: Path | None``. Its docstring is the help text.
      argv: the words after the script's name; those of this process by default.

    Returns:
      The script's options, and the experiment or None where neither option is given.

    Raises:
      ValueError: the configuration or the checkpoint cannot be read, overrides have nothing to
        override, or they would change the shapes of the checkpoint's parameters.
      SystemExit: with code 2 after a message about a wrong option, with code 0 after ``--help``.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    fields = set(inspect.signature(kind).parameters)
    config = _path_option("config", words)
    checkpoint = _path_option("checkpoint", words) if "checkpoint" in fields else None

    stored = None
    if checkpoint is not None:
        from mavos_jax.checkpoints import load_config_of

        stored = load_config_of(checkpoint)
    base = stored if config is None else load_config(config)
    if base is None:
        if not {"-h", "--help"} & set(words):
            _forbid_overrides(words, fields)
            return _parse(kind, None, words).arguments, None
        base = Experiment(name="experiment")

    command = _parse(kind, base, words)
    if checkpoint is not None and stored is not None:
        _require_same_shapes(checkpoint, stored, command.experiment)
    return command.arguments, command.experiment


def main_with_errors(main: Callable[[], object]) -> None:
    """Runs a script, turning errors that the user can mend into one line and an exit code.

    Args:
      main: the script. Its :class:`ValueError` and :class:`OSError` are reported on the standard
        error output with exit code 2; any other exception is a defect and keeps its traceback.

    Raises:
      SystemExit: with code 2 after an error, or 130 after an interruption from the keyboard.
    """
    try:
        main()
    except (ValueError, OSError) as error:
        print(f"error: {_join(str(error) or type(error).__name__)}", file=sys.stderr)
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        raise SystemExit(130) from None


def _parse(
    kind: type | None, base: Experiment | None, words: Sequence[str], add_help: bool = True
) -> Any:
    """Parses ``words`` into an object with fields ``arguments`` and ``experiment``."""
    import tyro  # the models and inference must not need it

    parts: list[Any] = []
    if kind is not None:
        parts.append(
            ("arguments", Annotated[kind, tyro.conf.arg(name=""), tyro.conf.FlagCreatePairsOff])
        )
    if base is not None:
        experiment = Annotated[
            Experiment,
            tyro.conf.arg(name=""),
            # An override is always a field path followed by its value, also for a boolean.
            tyro.conf.FlagConversionOff,
            # Of a union of encoders, the options are those of the one in the configuration.
            tyro.conf.AvoidSubcommands,
        ]
        parts.append(("experiment", experiment, base))
    return tyro.cli(
        dataclasses.make_dataclass("Command", parts),
        args=list(words),
        description=inspect.cleandoc(kind.__doc__ or "").split("\n\n")[0] if kind else "",
        use_underscores=True,
        add_help=add_help,
    )


def _run_config(path: Path) -> Experiment:
    if not path.is_file():
        raise ValueError(f"expected a configuration file, found none at {path}{_suggest(path)}")
    try:
        names = runpy.run_path(str(path))
    except Exception as error:
        lines = [
            f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == str(path)
        ]
        line = error.lineno if isinstance(error, SyntaxError) else lines[-1] if lines else None
        raise ValueError(
            f"{path}, line {line}: {type(error).__name__}: {_join(str(error))}"
        ) from error
    if "config" not in names:
        raise ValueError(f"{path}: expected an Experiment named `config`, found no such name")
    config = names["config"]
    if not isinstance(config, Experiment):
        raise ValueError(
            f"{path}: expected `config` to be an Experiment, found {type(config).__name__}"
        )
    return config


def _suggest(path: Path) -> str:
    """Names the configuration file that was most likely meant by a missing ``path``."""
    found = {f.stem: f for folder in (Path("configs"), path.parent) for f in folder.glob("*.py")}
    close = difflib.get_close_matches(path.stem, found, n=1)
    return f"; did you mean {found[close[0]]}?" if close else ""


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
            source = (
                "--config FILE or --checkpoint DIR" if "checkpoint" in fields else "--config FILE"
            )
            raise ValueError(f"expected {source} for {word} to override, found none")


def _require_same_shapes(checkpoint: Path, stored: Experiment, config: Experiment) -> None:
    if config == stored:
        return
    from mavos_jax.models.mavos import parameter_shapes

    problems = compare_shapes(parameter_shapes(stored), parameter_shapes(config))
    if not problems:
        return
    changes = [f"{name} ({problem})" for name, problem in problems.mismatched.items()]
    changes += [f"{name} (missing)" for name in problems.missing]
    changes += [f"{name} (not in the checkpoint)" for name in problems.unexpected]
    rest = len(changes) - _NUM_NAMED_CHANGES
    named = ", ".join(changes[:_NUM_NAMED_CHANGES]) + (f" and {rest} more" if rest > 0 else "")
    raise ValueError(
        f"expected a configuration with the parameter shapes of checkpoint {checkpoint}, found "
        f"{named}; drop the options that change the network"
    )


def _condense(console: str) -> str:
    """Returns the message and the suggestions of tyro's error box as one line."""
    sections: list[list[str]] = [[]]
    for line in map(str.strip, console.splitlines()):
        if line and not line.strip("-"):
            sections.append([])
        else:
            sections[-1].append(line)
    message, *details = sections[1:] or sections  # the title comes first
    text = _join(" ".join(message))
    # A value that a configuration rejects already names its field; tyro's prefix is its group.
    text = re.sub(r"^Error parsing [a-z_.]+: ", "", text)
    options = [line for section in details for line in section if line.startswith("--")]
    if text.startswith("Unrecognized") and options:
        text += f"; did you mean {' or '.join(options)}?"
    return text


def _join(text: str) -> str:
    return " ".join(text.split())
