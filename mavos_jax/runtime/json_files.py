"""JSON files as strangers may hand them in: read with limits, their values checked by type."""

from __future__ import annotations

import collections
import json
import math
from pathlib import Path
from typing import Any, TypeVar

_Value = TypeVar("_Value", bool, int, float, str, list, dict)


def read_json(path: Path, remedy: str = "; restore the file") -> Any:
    """Reads a JSON file in UTF-8.

    Raises ValueError, whose message ends with ``remedy``, if it is no JSON, nests too deeply,
    repeats a key, or holds a number that is not finite or has more than 30 digits.
    """
    try:
        return json.loads(
            path.read_text(encoding="utf-8-sig"),
            object_pairs_hook=_without_repetition,
            parse_int=_short_int,
            parse_float=_finite_float,
            parse_constant=_finite_float,
        )
    except (ValueError, RecursionError) as error:
        found = "too many levels" if isinstance(error, RecursionError) else error
        raise ValueError(f"{path}: expected JSON, found {found}{remedy}") from error


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        repeated = collections.Counter(key for key, _ in pairs).most_common(1)[0][0]
        raise ValueError(f"{shortened(repeated)} twice")
    return content


_MAX_DIGITS = 30


def _short_int(digits: str) -> int:
    if len(digits) > _MAX_DIGITS:
        raise ValueError(f"a number of {len(digits)} digits")
    return int(digits)


def _finite_float(text: str) -> float:
    if not math.isfinite(value := float(text)):
        raise ValueError(f"the number {shortened(text)}, which is not finite")
    return value


def shortened(value: object, length: int = 60) -> str:
    """Quotes a value for a message, or the beginning of a long one."""
    text = repr(value)
    return text if len(text) <= length else f"{text[:length]}..."


def typed(value: Any, kind: type[_Value]) -> _Value:
    """Returns a JSON value if it is of a type, else raises ValueError.

    Whole numbers are also floats; true and false are no numbers; texts can be written in UTF-8.
    """
    kinds = (int, float) if kind is float else (kind,)
    if not isinstance(value, kinds) or (isinstance(value, bool) and kind is not bool):
        raise ValueError(f"expected {kind.__name__}, found {shortened(value)}")
    if isinstance(value, str):
        value.encode()
    return value  # type: ignore[return-value]
