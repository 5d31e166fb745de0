"""Damage to texts: JSON by its structure, lists by their lines, names that lead elsewhere."""

import copy
import json
import re
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
    match rng.randrange(8):
        case 0 | 1:
            return rng.choice((change_bytes, _change_text))(rng, data)
        case 2:
            return change_word(rng, data.decode(), [json.dumps(n)[1:-1] for n in names]).encode()
    text = json.dumps(_change_values(rng, json.loads(data), names))
    for number, raw in enumerate(_RAW_VALUES):
        text = text.replace(json.dumps(f"{_RAW}{number}"), raw)
    return text.encode()


def change_lines(rng, data, names):
    """Damages a list of names, one per line, as if it were one of JSON; or its text."""
    match rng.randrange(6):
        case 0 | 1:
            return rng.choice((change_bytes, _change_text))(rng, data)
        case 2:
            return data * rng.choice((2, 20_000))
    lines = _change_values(rng, data.decode().split("\n"), names)
    text = "\n".join(map(str, lines)) if isinstance(lines, list) else str(lines)
    return text.encode(errors="surrogateescape")


def _change_text(rng, data):
    """Changes how a text is stored."""
    text = data.decode()
    changes = (
        *(text.encode("utf-8-sig"), text.encode("utf-16"), b"\xe9" + data, data + b"\0"),
        *(data + data, rng.choice(_TEXTS), text.replace("\n", "\r\n").encode()),
        text.replace("\n", "\u2028").replace(" ", "\t").encode(),
    )
    return rng.choice(changes)


def change_word(rng, text, values):
    """Replaces a word of a text by a value wherever it stands."""
    word = rng.choice(sorted({*re.findall(r"[\w<|-]+|[({'\[]", text)}))
    return text.replace(word, rng.choice(values))


def _change_values(rng, value, names):
    """Changes a value somewhere in nested lists and dictionaries, or rarely several."""
    root = {"": value}
    for _ in range(1 if rng.random() < 0.8 else rng.randint(2, 4)):
        parent, key = rng.choice(list(_places(root)))
        if parent is root or rng.random() < 0.4:
            parent[key] = _odd(rng, parent[key], names)
        elif isinstance(parent, list):
            parent[:] = change_order(rng, parent)
        else:
            _change_entry(rng, parent, key, rng.choice(names))
    return root[""]


def _change_entry(rng, parent, key, name):
    """Removes an entry of a dictionary, gives it another name, or exchanges values."""
    others = {k: v for k, v in parent.items() if k != key}
    other, new = rng.choice(list(parent)), {name: parent[key]}
    swapped = {key: parent[other], other: parent[key]}
    changed = rng.choice((others, others | new, parent | new, parent | swapped))
    parent.clear()
    parent.update(changed)


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
        case str():
            odd = (f"{value}/", f"{value}/..", f"/{value}", f"../{value}", f" {value}")
            alike = (*odd, f"{value} x", f"{value}\t", f"{value}\v", f"#{value}", f"./{value}")
        case _:
            alike = _VALUES
    raw = f"{_RAW}{rng.randrange(len(_RAW_VALUES))}"
    values = (raw, rng.choice(names), [value], rng.choice(alike), *rng.choices(_VALUES, k=4))
    return copy.deepcopy(rng.choice(values))
