"""Damage to texts: JSON by its structure, lists by their lines, names that lead elsewhere."""

import copy
import json
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


def odd_names(outside):
    """Names of odd characters, too long ones, and those that lead to a folder not to be touched."""
    parents = ["../" * depth + outside.name for depth in (1, 2, 3, 4)]
    return (*_NAMES, *parents, *3 * (str(outside),), f"{outside}/", f"./{parents[2]}")


def change_document(rng, data, names):
    """Damages a JSON file: mostly its values and names, which may become ``names``; or its text."""
    if rng.random() < 0.25:
        return rng.choice((change_bytes, change_text))(rng, data)
    value = json.loads(data)
    for _ in range(1 if rng.random() < 0.8 else rng.randint(2, 4)):
        value = change_value(rng, value, names)
    return dump(value)


def dump(value):
    """Writes JSON, with what Python does not write as it is."""
    text = json.dumps(value)
    for number, raw in enumerate(_RAW_VALUES):
        text = text.replace(json.dumps(f"{_RAW}{number}"), raw)
    return text.encode()


def change_text(rng, data):
    """Changes how a text is stored."""
    text = data.decode()
    changes = (
        *(text.encode("utf-8-sig"), text.encode("utf-16"), b"\xe9" + data, data + b"\0"),
        *(data + data, rng.choice(_TEXTS), text.replace("\n", "\r\n").encode()),
        text.replace("\n", "\u2028").replace(" ", "\t").encode(),
    )
    return rng.choice(changes)


def change_lines(rng, data, names):
    """Damages a list of names, one per line."""
    if rng.random() < 0.4:
        return rng.choice((change_bytes, change_text))(rng, data)
    lines = data.decode().split("\n")
    chosen, name = rng.randrange(len(lines)), rng.choice(names)
    line, before, after = lines[chosen], lines[:chosen], lines[chosen + 1 :]
    changes = (
        change_order(rng, lines),
        [*before, name, *after],
        [*before, name, line, *after],
        [*before, line + rng.choice((" ", "/", " x", "\t", "\v", "/..")), *after],
        [*before, rng.choice(("/", " ", "./", "../", "#")) + line, *after],
        [*before, f"/{line}/{name}.jpg /{rng.choice(names)}.png", *after],
        lines * rng.choice((2, 20_000)),
    )
    return "\n".join(rng.choice(changes)).encode(errors="surrogateescape")


def change_value(rng, value, names):
    """Changes one value somewhere in nested lists and dictionaries, in place but for the whole."""
    root = {"": value}
    parent, key = rng.choice(list(_places(root)))
    is_name = isinstance(parent, dict) and parent is not root
    match rng.randrange(6):
        case 0 | 1 | 2 if isinstance(parent, list):
            parent[:] = change_order(rng, parent)
        case 0 if is_name:
            del parent[key]
        case 1 if is_name:
            parent[rng.choice(names)] = parent.pop(key)
        case 2 if is_name:
            other = rng.choice(list(parent))
            parent[key], parent[other] = parent[other], parent[key]
        case 3 if is_name:
            parent[rng.choice(names)] = parent[key]
        case _:
            parent[key] = _odd(rng, parent[key], names)
    return root[""]


def _places(parent):
    """Yields the containers of all values and their keys or indices there."""
    children = parent.items() if isinstance(parent, dict) else enumerate(parent)
    for key, child in list(children)[:40]:
        yield parent, key
        if isinstance(child, dict | list):
            yield from _places(child)


def _odd(rng, value, names):
    """Another value in place of one: of another type, out of range, or nested otherwise."""
    match value:
        case list():
            alike = ({str(i): x for i, x in enumerate(value)},)
        case dict():
            alike = (list(value.items()),)
        case int() | float():
            alike = (str(value), -value, value + 1, value * 1_000_000_000, float(value))
        case str() if value.isdecimal() and len(value) < 20:
            alike = (int(value), str(int(value) + 10**9), f"-{value}", f" {value} ")
        case _:
            alike = _VALUES
    raw = f"{_RAW}{rng.randrange(len(_RAW_VALUES))}"
    values = (raw, rng.choice(names), [value], rng.choice(alike), *rng.choices(_VALUES, k=4))
    return copy.deepcopy(rng.choice(values))
