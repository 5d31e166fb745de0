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
    *("NaN", "Infinity", "-Infinity", "1e999", "-0.0", "9" * 30, "9" * 5000, "1" + "0" * 25),
    *("[" * 100_000 + "]" * 100_000, '{"a":' * 100_000 + "1" + "}" * 100_000),
)
_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2**31, 2**63, -(2**64), 0.5, 1e308),
    *("", "1", "text", [], {}, [[]], [None], ["1"], {"": None}, {"1": {}}),
)
_NAMES = (
    *("", ".", "..", "../..", "a/b", "a\\b", "nul\0byte", "two\nlines", " ", "-x", "~", "*", "{}"),
    *("%s", ".hidden", "\udc80", "\u202e", "\u00e9", "e\u0301", "\u00b2", "\u0661"),
    *("a" * 300, "a" * 5000, "9" * 5000, "0" * 5000 + "1"),
)
_TEXTS = (b" ", b"[", b"{", b"null", b"0", b'"a"', b"[]", b"{}", b"<html>", b"")


def odd_names(outside: str) -> tuple[str, ...]:
    """Names of odd characters, too long ones, and those that lead to a folder not to be touched."""
    folder = outside.rpartition("/")[2]
    parents = tuple("../" * depth + folder for depth in (1, 2, 3, 4))
    return (*_NAMES, *parents, outside, outside, outside, f"{outside}/", f"./{parents[2]}")


def change_document(rng: random.Random, data: bytes, names: tuple[str, ...]) -> bytes:
    """Damages a JSON file: mostly its values and names, which may become ``names``; or its text."""
    if rng.random() < 0.15:
        return change_bytes(rng, data)
    if rng.random() < 0.12:
        return change_text(rng, data)
    value = json.loads(data)
    for _ in range(1 if rng.random() < 0.8 else rng.randint(2, 4)):
        value = change_value(rng, value, names)
    return dump(value)


def dump(value: Any) -> bytes:
    """Writes JSON, with what Python does not write as it is."""
    first, *parts = json.dumps(value).split(f'"{json.dumps(_RAW)[1:-1]}')
    for part in parts:
        number, _, rest = part.partition('"')
        first += _RAW_VALUES[int(number)] + rest
    return first.encode()


def change_value(rng: random.Random, value: Any, names: tuple[str, ...]) -> Any:
    """Changes one value somewhere in nested lists and dictionaries."""
    return _put(rng, value, rng.choice(list(_paths(value))), names)


def change_text(rng: random.Random, data: bytes) -> bytes:
    """Changes how a text is stored."""
    text = data.decode()
    changes = (
        *(text.encode("utf-8-sig"), text.encode("utf-16"), b"\xe9" + data, data + b"\0"),
        *(data + data, rng.choice(_TEXTS), text.replace("\n", "\r\n").encode()),
        text.replace("\n", "\u2028").replace(" ", "\t").encode(),
    )
    return rng.choice(changes)


def change_lines(rng: random.Random, data: bytes, names: tuple[str, ...]) -> bytes:
    """Damages a list of names, one per line."""
    if rng.random() < 0.2:
        return change_bytes(rng, data)
    if rng.random() < 0.2:
        return change_text(rng, data)
    lines = data.decode().split("\n")
    chosen = rng.randrange(len(lines))
    line, name = lines[chosen], rng.choice(names)
    match rng.randrange(7):
        case 0:
            lines = change_order(rng, lines)
        case 1:
            lines[chosen] = name
        case 2:
            lines.insert(chosen, name)
        case 3:
            lines[chosen] = f"{line}{rng.choice((' ', '/', ' x', chr(9), chr(11), '/..'))}"
        case 4:
            lines[chosen] = f"{rng.choice(('/', ' ', './', '../', '#'))}{line}"
        case 5:
            lines[chosen] = f"/{line}/{name}.jpg /{rng.choice(names)}.png"
        case _:
            lines *= rng.choice((2, 20_000))
    return "\n".join(lines).encode(errors="surrogateescape")


def _paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    if isinstance(value, dict | list):
        children = value.items() if isinstance(value, dict) else enumerate(value)
        for key, child in list(children)[:40]:
            yield from _paths(child, (*path, key))


def _put(rng: random.Random, value: Any, path: tuple[Any, ...], names: tuple[str, ...]) -> Any:
    """Returns the value with what lies at a path changed."""
    if not path:
        return _odd(rng, value, names)
    key, *rest = path
    if rest:
        copied = dict(value) if isinstance(value, dict) else list(value)
        copied[key] = _put(rng, value[key], tuple(rest), names)
        return copied
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
    return rng.choice(_VALUES)
