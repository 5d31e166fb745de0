"""Configuration files, their overrides, and the command lines of the scripts.

Every field of an :class:`~mavos_jax.config.Experiment` is an option named by its path, for example
``--memory.gap 5``, ``--align_corners False`` or ``--encoder.depths 3 4 6``.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import inspect
import io
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

import jax

from mavos_jax.config import Experiment
from mavos_jax.config.checks import require_kind
from mavos_jax.config.files import read_config_file
from mavos_jax.runtime.devices import require_device
from mavos_jax.runtime.files import expand_home
from mavos_jax.runtime.streams import lasting_streams

_Arguments = TypeVar("_Arguments")

_HELP = {"-h", "--help"}


def load_config(path: str | os.PathLike[str], overrides: Sequence[str] = ()) -> Experiment:
    """Runs a configuration file and returns its experiment with overrides applied.

    Args:
      path: a Python file that names its :class:`~mavos_jax.config.Experiment` ``config``.
      overrides: words as on a command line, for example ``("--memory.gap", "5")``.

    Raises:
      ValueError: the file is missing, fails or holds no experiment, or an override names no field
        or gives a value of the wrong type or range.
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
        return _parse(None, base, overrides, add_help=False).experiment
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def parse_command(
    kind: type[_Arguments], argv: Sequence[str] | None = None
) -> tuple[_Arguments, Experiment | None]:
    """Parses a script's command line: its own options and the overrides of the experiment.

    The experiment starts from the file of ``--config``, or else from the configuration stored in
    ``--checkpoint``. With both, the file counts, and must fit the checkpoint's parameters.

    Args:
      kind: a frozen dataclass of the script's options with a field ``config: Path | None`` if it
        has an experiment and, if it reads checkpoints, ``checkpoint: Path | None``. Its docstring
        is the help text.
      argv: the words after the script's name; those of this process by default.

    Returns:
      The script's options, and the experiment or None where neither option is given.

    Raises:
      ValueError: an option is unknown, missing or has a wrong value, the configuration or the
        checkpoint cannot be read, overrides have nothing to override, or they would change the
        shapes of the checkpoint's parameters.
      SystemExit: with code 0 after ``--help``.
    """
    words = [expand_home(word) for word in (sys.argv[1:] if argv is None else argv)]
    fields = set(inspect.signature(kind).parameters)
    config = _path_option("config", words)
    checkpoint = _path_option("checkpoint", words) if "checkpoint" in fields else None

    stored = None
    if checkpoint is not None:
        from mavos_jax.checkpoints.folder import load_config_of

        stored = load_config_of(checkpoint)
    file = None if config is None else read_config_file(config)
    base = stored if file is None else file
    if base is None:
        if "config" not in fields or not _HELP & set(words):
            _forbid_overrides(words, fields)
            return _parse(kind, None, words).arguments, None
        base = Experiment(name="experiment")

    command = _parse(kind, base, words)
    if checkpoint is not None and stored is not None:
        from mavos_jax.checkpoints.config_changes import require_same_shapes

        require_same_shapes(checkpoint, stored, command.experiment, file)
    return command.arguments, command.experiment


def main_with_errors(main: Callable[[], object], leave: Callable[[int], object] = os._exit) -> None:
    """Runs a script, turning errors that the user can mend into one line and an exit code.

    Args:
      main: the script. What files, devices and the system can raise is reported on the standard
        error output with exit code 2; any other exception is a defect and keeps its traceback.
      leave: called with 130 after an interruption from the keyboard and with 2 once memory has run
        out. A compilation that is under way goes on in its own thread and crashes an interpreter
        that shuts down, so by default the process ends at once; context managers of ``main`` have
        done their work by then.

    Raises:
      SystemExit: with code 2 after an error.
    """
    code = None
    with lasting_streams():
        try:
            main()
        except Exception as error:
            if not isinstance(error, MemoryError) and "bad_alloc" not in str(error):
                line = _describe(error)
                if line is None:
                    raise
                print(f"error: {_join(line)}", file=sys.stderr)
                raise SystemExit(2) from None
            error.__traceback__ = error.__context__ = None  # frees what the calls held
            _print_out_of_memory(error)
            code = 2
        except KeyboardInterrupt:
            print("interrupted", file=sys.stderr)
            code = 130
    if code is not None:
        leave(code)


def _print_out_of_memory(error: Exception) -> None:
    try:
        reason = f" ({error})" if str(error) else ""
        print(f"error: out of memory{reason}; {_WAYS_OUT[errno.ENOMEM]}", file=sys.stderr)
    except MemoryError:  # not even for the words
        os.write(2, b"error: out of memory\n")


_WAYS_OUT = {
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
    errno.ENFILE: "close other programs, or raise the system's limit of open files",
    errno.ENOMEM: "free memory, or raise its limit (ulimit -v)",
    errno.ENOSPC: "free some room on the disk, then run the same command again",
    errno.EDQUOT: "free some of the quota, then run the same command again",
}


def _describe(error: Exception) -> str | None:
    """Returns what went wrong and the way out, or None for a defect of the program."""
    text = str(error)
    if isinstance(error, OSError) and error.errno in _WAYS_OUT:
        return f"{text}; {_WAYS_OUT[error.errno]}"
    if isinstance(error, (ValueError, OSError)):
        return text or type(error).__name__
    if "can't start new thread" in text:
        return f"{text}; raise the limits of processes and memory (ulimit -u, ulimit -v)"
    if isinstance(error, (EOFError, OverflowError, RecursionError)):
        return f"{type(error).__name__}: {text}; is a file damaged?"
    if isinstance(error, jax.errors.JaxRuntimeError):
        reason = text.partition("\n")[0]
        if reason.startswith("INVALID_ARGUMENT"):
            return None
        if "RESOURCE_EXHAUSTED" in reason or "Out of memory" in reason:
            return f"the device's memory is full ({reason}); {_SMALLER}"
        return f"the device failed: {reason}"
    try:
        require_device()
    except ValueError as missing:
        return str(missing)
    return None


_SMALLER = (
    "take smaller frames (--inference.max_long_edge), shorter chunks (--inference.chunk_frames) or "
    "smaller batches (--training.batch_size), or close other programs on the device"
)


def _parse(
    kind: type | None, base: Experiment | None, words: Sequence[str], add_help: bool = True
) -> Any:
    """Parses ``words`` into an object with fields ``arguments`` and ``experiment``.

    Raises:
      ValueError: a word is wrong; the message is one line.
      SystemExit: with code 0 after the help.
    """
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
    with _one_line_errors(is_help_wanted=add_help and bool(_HELP & set(words))):
        return tyro.cli(
            dataclasses.make_dataclass("Command", parts),
            args=list(words),
            description=inspect.cleandoc(kind.__doc__ or "").split("\n\n")[0] if kind else "",
            use_underscores=True,
            add_help=add_help,
        )


@contextlib.contextmanager
def _one_line_errors(is_help_wanted: bool) -> Iterator[None]:
    """Turns tyro's way out, a printed box and an exit, into an exception of one line."""
    console = io.StringIO()
    try:
        with contextlib.ExitStack() as stack:
            stack.enter_context(contextlib.redirect_stderr(console))
            if not is_help_wanted:  # the layout depends on the standard output
                stack.enter_context(contextlib.redirect_stdout(console))
            yield
    except SystemExit as end:
        if not end.code:
            raise
        raise ValueError(_condense(console.getvalue())) from None


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


def _condense(console: str) -> str:
    """Returns the message and the suggestions of tyro's error box as one line."""
    sections: list[list[str]] = [[]]
    for line in map(str.strip, console.splitlines()):
        if line and not line.strip("-"):
            sections.append([])
        else:
            sections[-1].append(line)
    message, *details = sections[1:] or sections  # the title comes first
    unknown = [
        word
        for title, *words in filter(None, details)
        if title.startswith("Unrec")
        for word in words
    ]
    text = _join(" ".join(message))
    if text.startswith("Missing from"):
        text = f"expected the option {' and '.join(_options(message))}, found none"
        return text + (f"; unrecognized: {_join(' '.join(unknown))}" if unknown else "")
    # A value that a configuration rejects already names its field; tyro's prefix is its group.
    text = re.sub(r"^Error parsing [a-z_.]+: ", "", text)
    options = [option for section in details for option in _options(section)]
    if text.startswith("Unrecognized") and options:
        text += f"; did you mean {' or '.join(options)}?"
    return text


def _options(lines: Sequence[str]) -> list[str]:
    return [line.split()[0].rstrip(",") for line in lines if line.startswith("--")]


def _join(text: str) -> str:
    return " ".join(text.split())
