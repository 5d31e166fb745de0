"""Damage to texts: JSON by its structure, lists by their lines, names that lead elsewhere."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

from mutation.changes import change_bytes, change_order

_RAW = "\ue000"
"""Begins a string that stands for JSON as it is, which no value in Python gives."""

_RAW_VALUES = (
    "NaN",
    "Infinity",
    "-Infinity",
    "1e999",
    "9" * 30,
    "9" * 5000,
    "-0.0",
    "1" + "0" * 25,
    "[" * 100_000 + "]" * 100_000,
    '{"a":' * 100_000 + "1" + "}" * 100_000,
)
_VALUES: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    1,
    -1,
    2**31,
    2**63,
    -(2**64),
    0.5,
    1e308,
    "",
    "1",
    "text",
    [],
    {},
    [[]],
    [None],
    ["1"],
    {"": None},
    {"1": {}},
)
_NAMES = (
    "",
    ".",
    "..",
    "../..",
    "a/b",
    "a\\b",
    "nul\0byte",
    "two\nlines",
    " ",
    "-x",
    "~",
    "*",
    "{}",
    "%s",
    ".hidden",
    "\udc80",
    "\u202e",
    "\u00e9",
    "e\u0301",
    "\u00b2",
    "\u0661",
    "a" * 300,
    "a" * 5000,
    "9" * 5000,
    "0" * 5000 + "1",
)


def odd_names(outside: str) -> tuple[str, ...]:
    """Names that lead to a folder outside, of odd characters, or too long.

    Args:
      outside: an absolute path to a folder that is not to be touched.
    """
    folder = outside.rpartition("/")[2]
    parents = tuple("../" * depth + folder for depth in (1, 2, 3, 4))
    return (*_NAMES, *parents, outside, outside, outside, f"{outside}/", f"./{parents[2]}")


def change_document(rng: random.Random, data: bytes, names: tuple[str, ...]) -> bytes:
    """Damages a JSON file: mostly its values and names, else its text.

    Args:
      rng: decides.
      data: the file's content.
      names: odd ones, see :func:`odd_names`.
    """
    if rng.random() < 0.15:
        return change_bytes(rng, data)
    if rng.random() < 0.12:
        return change_text(rng, data)
    value = json.loads(data)
    for _ in range(1 if rng.random() < 0.8 else rng.randint(2, 4)):
        value = change_value(rng, value, names)
    return dump(value)


def dump(value: Any) -> bytes:
    """Writes JSON, with what is not to be had from Python as it is."""
    parts = json.dumps(value).split(f'"{json.dumps(_RAW)[1:-1]}')
    return (parts[0] + "".join(_unquoted(part) for part in parts[1:])).encode()


def change_value(rng: random.Random, value: Any, names: tuple[str, ...]) -> Any:
    """Changes one value somewhere in nested lists and dictionaries."""
    path = rng.choice(list(_paths(value)))
    return _put(rng, value, path, names)


def change_text(rng: random.Random, data: bytes) -> bytes:
    """Changes how a text is stored."""
    text = data.decode()
    match rng.randrange(9):
        case 0:
            return text.encode("utf-8-sig")
        case 1:
            return text.encode("utf-16")
        case 2:
            return b"\xe9" + data
        case 3:
            return b""
        case 4:
            return data + b"\0"
        case 5:
            return text.replace("\n", "\r\n").encode()
        case 6:
            return rng.choice((b" ", b"[", b"{", b"null", b"0", b'"a"', b"[]", b"{}", b"<html>"))
        case 7:
            return data + data
        case _:
            return text.replace("\n", "\u2028").replace(" ", "\t").encode()


def change_lines(rng: random.Random, data: bytes, names: tuple[str, ...]) -> bytes:
    """Damages a list of names, one a line."""
    if rng.random() < 0.2:
        return change_bytes(rng, data)
    if rng.random() < 0.2:
        return change_text(rng, data)
    lines = data.decode().split("\n")
    chosen = rng.randrange(len(lines))
    match rng.randrange(7):
        case 0:
            lines = change_order(rng, lines)
        case 1:
            lines[chosen] = rng.choice(names)
        case 2:
            lines.insert(chosen, rng.choice(names))
        case 3:
            lines[chosen] = f"{lines[chosen]}{rng.choice((' ', '/', ' x', chr(9), chr(11), '/..'))}"
        case 4:
            lines[chosen] = f"{rng.choice(('/', ' ', './', '../', '#'))}{lines[chosen]}"
        case 5:
            lines[chosen] = f"/{lines[chosen]}/{rng.choice(names)}.jpg /{rng.choice(names)}.png"
        case _:
            lines *= rng.choice((2, 20_000))
    return "\n".join(lines).encode(errors="surrogateescape")


def _unquoted(part: str) -> str:
    """Takes a raw value out of the string that holds it, and gives what follows."""
    number, _, rest = part.partition('"')
    return _RAW_VALUES[int(number)] + rest


def _paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    if isinstance(value, dict | list):
        children = value.items() if isinstance(value, dict) else enumerate(value)
        for key, child in list(children)[:40]:
            yield from _paths(child, (*path, key))


def _put(rng: random.Random, value: Any, path: tuple[Any, ...], names: tuple[str, ...]) -> Any:
    """Returns the value with what lies at a path changed."""
    if len(path) > 1:
        copied = dict(value) if isinstance(value, dict) else list(value)
        copied[path[0]] = _put(rng, value[path[0]], path[1:], names)
        return copied
    if not path:
        return _odd(rng, value, names)
    key = path[0]
    if isinstance(value, list):
        if rng.random() < 0.5:
            return change_order(rng, value)
        return [_odd(rng, x, names) if i == key else x for i, x in enumerate(value)]
    match rng.randrange(6):
        case 0:
            return {k: x for k, x in value.items() if k != key}
        case 1:
            return {rng.choice(names) if k == key else k: x for k, x in value.items()}
        case 2:
            other = rng.choice(list(value))
            return {**value, key: value[other], other: value[key]}
        case 3:
            return {**value, rng.choice(names): value[key]}
        case _:
            return {**value, key: _odd(rng, value[key], names)}


def _odd(rng: random.Random, value: Any, names: tuple[str, ...]) -> Any:
    """Another value in place of one: of another type, out of range, or nested otherwise."""
    match rng.randrange(8):
        case 0:
            return f"{_RAW}{rng.randrange(len(_RAW_VALUES))}"
        case 1:
            return rng.choice(names)
        case 2:
            return [value]
        case 3 if isinstance(value, list):
            return {str(i): x for i, x in enumerate(value)}
        case 3 if isinstance(value, dict):
            return list(value.items())
        case 4 if isinstance(value, int | float):
            return rng.choice((str(value), -value, value + 1, value * 1_000_000_000, float(value)))
        case 4 if isinstance(value, str) and value.isdecimal() and len(value) < 20:
            return rng.choice((int(value), str(int(value) + 10**9), f"-{value}", f" {value} "))
        case _:
            return rng.choice(_VALUES)
