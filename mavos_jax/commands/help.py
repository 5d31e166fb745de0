"""The help of a command: its options in groups, with a sentence each."""

import dataclasses
import inspect
import re
import shutil
import textwrap
import types
import typing
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mavos_jax.config import Experiment

_MARGIN = 27
_LONGEST_METAVAR = 65
_METAVARS = {Path: "PATH", int: "INT", float: "FLOAT", str: "TEXT", bool: "{True,False}"}


class _Group(NamedTuple):
    title: str
    rows: list[tuple[str, str]]
    """Options with their values, and what they mean."""


def format_help(kind: type, base: Experiment | None, shown: Sequence[str]) -> str:
    """Writes the help of a command from the docstrings and fields of its options' dataclasses."""
    text = inspect.cleandoc(kind.__doc__ or "").partition("\nAttributes:")[0].strip()
    paragraphs, groups = text.split("\n\n"), list(_groups(kind, None))
    groups[0].rows.append(("--help", "Show this help."))
    if base is not None:
        groups += _groups(type(base), base, shown=tuple(shown))
        paragraphs.append(
            "Every field of the given configuration is an option, for example --encoder.depths "
            f"3 4 6; the defaults below are those of {base.name}."
        )
    width = max(shutil.get_terminal_size().columns, 60)
    wrapped = [x if x.startswith(" ") else textwrap.fill(x, width) for x in paragraphs]
    return "\n\n".join([*wrapped, *(_block(each, width) for each in groups if each.rows)])


def _groups(
    kind: type, values: Any, prefix: str = "", shown: tuple[str, ...] | None = None
) -> Iterator[_Group]:
    texts = [inspect.cleandoc(each.__doc__ or "") for each in reversed(kind.__mro__)]
    found = re.findall(r"^ +(\w+): (.*(?:\n {4,}.*)*)", "\n\n".join(texts), re.M)
    meanings, title = dict(found), texts[-1].partition("\n")[0].rstrip(".")
    hints = typing.get_type_hints(kind)
    rows, inside = [], []
    for field in dataclasses.fields(kind):
        default = getattr(values, field.name, field.default)
        if values is None and field.default_factory is not dataclasses.MISSING:
            default = field.default_factory()
        path, parts = f"{prefix}{field.name}", default if isinstance(default, tuple) else ()
        if dataclasses.is_dataclass(default):
            inside.append((type(default), default, f"{path}." if shown is not None else ""))
        elif parts and dataclasses.is_dataclass(parts[0]):
            inside += [(type(x), x, f"{path}.{index}.") for index, x in enumerate(parts)]
        elif len(typing.get_args(hints[field.name])) == 1:
            continue  # the kind of a part, which cannot be another
        elif shown is None:
            metavar = "" if hints[field.name] is bool else _metavar(hints[field.name])
            rows.append(_row(path, metavar, meanings.get(field.name, ""), default))
        elif path.startswith(shown):
            # The first words say enough of a field, which the docstring describes.
            meaning = re.split(r"[.;]\s", meanings.get(field.name, ""))[0]
            rows.append(_row(path, _metavar(hints[field.name]), meaning, default))
    yield _Group("" if values is None else title, rows)
    for part, default, path in inside:
        yield from _groups(part, default, path, shown)


def _row(path: str, metavar: str, meaning: str, default: Any) -> tuple[str, str]:
    text = " ".join(meaning.replace("``", "").split()).rstrip(".")
    text = text[:1].upper() + text[1:]
    if len(metavar) > _LONGEST_METAVAR:
        text, metavar = f"{text}: {metavar[1:-1].replace(',', ', ')}", "NAME"
    if default is dataclasses.MISSING:
        text += " (required)"
    elif default not in (None, "", ()) and (metavar or default is not False):
        shown = re.sub(r"[(),']", "", str(default))
        text += f" [{shown}]"
    return f"--{path} {metavar}".rstrip(), f"{text}."


def _metavar(kind: Any) -> str:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Literal:
        return f"{{{','.join(map(str, arguments))}}}"
    if origin in (typing.Union, types.UnionType):
        return "|".join(_metavar(each) for each in arguments if each is not type(None))
    if origin is tuple:
        *first, last = (" ..." if each is ... else f" {_metavar(each)}" for each in arguments)
        return f"{''.join(first)}{last}".strip()
    return _METAVARS.get(kind, "VALUE")


def _block(group: _Group, width: int) -> str:
    lines = [group.title] if group.title else []
    for option, meaning in group.rows:
        start = f"  {option} ".ljust(_MARGIN)
        if len(start) > _MARGIN:
            lines.append(start.rstrip())
            start = " " * _MARGIN
        indent = " " * _MARGIN
        lines += textwrap.wrap(meaning, width, initial_indent=start, subsequent_indent=indent)
    return "\n".join(lines)
