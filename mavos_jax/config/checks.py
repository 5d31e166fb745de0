"""Checks of configuration values: types as declared, ranges, and values from plain mappings."""

import dataclasses
import os
import types
import typing
from collections.abc import Mapping
from typing import Any, Literal


def require(condition: bool, field: str, expected: str, found: object) -> None:
    """Raises ValueError with what a field should hold and what it holds."""
    if not condition:
        raise ValueError(f"{field}: expected {expected}, found {found!r}")


def require_kind(name: str, found: object, kind: type | tuple[type, ...], expected: str) -> None:
    """Raises ValueError unless an argument is of a type; the message names both."""
    if not isinstance(found, kind):
        shown = repr(found) if isinstance(found, (str, bytes, os.PathLike, int, float)) else ""
        raise ValueError(
            f"{name}: expected {expected}, found a {type(found).__name__}{shown and f' {shown}'}"
        )


def build(kind: Any, values: Any, path: str) -> Any:
    """Builds the value of type ``kind`` that ``values`` describes; ``path`` is for messages."""
    origin = typing.get_origin(kind)
    if origin in (types.UnionType, typing.Union):
        members = {typing.get_type_hints(m)["kind"]: m for m in typing.get_args(kind)}
        names = {typing.get_args(literal)[0]: member for literal, member in members.items()}
        found = values.get("kind") if isinstance(values, Mapping) else values
        require(found in names, f"{path}.kind", f"one of {sorted(names)}", found)
        return build(names[found], values, path)
    if dataclasses.is_dataclass(kind):
        require(isinstance(values, Mapping), path or "config", "a mapping of fields", values)
        hints = typing.get_type_hints(kind)
        unknown = sorted(set(values) - set(hints))
        require(not unknown, path or "config", f"only the fields {sorted(hints)}", unknown)
        fields = {
            name: build(hints[name], value, f"{path}.{name}" if path else name)
            for name, value in values.items()
        }
        return typing.cast(Any, kind)(**fields)
    if origin is tuple:
        require(isinstance(values, list | tuple), path, "a list", values)
        arguments = typing.get_args(kind)
        is_homogeneous = len(arguments) == 2 and arguments[1] is Ellipsis
        kinds = (arguments[0],) * len(values) if is_homogeneous else arguments
        require(len(kinds) == len(values), path, f"{len(kinds)} values", values)
        return tuple(build(k, v, path) for k, v in zip(kinds, values, strict=True))
    if origin is Literal:
        require(values in typing.get_args(kind), path, f"one of {typing.get_args(kind)}", values)
        return values
    if kind is float and isinstance(values, int) and not isinstance(values, bool):
        return float(values)
    require(type(values) is kind, path, f"a value of type {kind.__name__}", values)
    return values


class Check:
    """Raises ValueError for wrong values of the configuration at ``path``; types come first."""

    def __init__(self, path: str, config: Any) -> None:
        self._prefix = f"{path}." if path else ""
        self._config = config
        for name, kind in typing.get_type_hints(type(config)).items():
            self._check_type(name, kind)

    def that(self, condition: bool, field: str, expected: str) -> None:
        """Raises unless a condition on a field holds."""
        require(condition, f"{self._prefix}{field}", expected, getattr(self._config, field))

    def positive(self, *fields: str) -> None:
        """Raises unless every field is at least 1."""
        for name in fields:
            self.that(getattr(self._config, name) >= 1, name, "an integer of at least 1")

    def not_negative(self, *fields: str, expected: str = "0 or more") -> None:
        """Raises unless every field is at least 0."""
        for name in fields:
            self.that(getattr(self._config, name) >= 0, name, expected)

    def above_zero(self, *fields: str, most: float = float("inf"), expected: str) -> None:
        """Raises unless every field is above 0, and at most ``most``."""
        for name in fields:
            self.that(0 < getattr(self._config, name) <= most, name, expected)

    def shares(self, *fields: str, expected: str = "a probability, 0 to 1") -> None:
        """Raises unless every field is from 0 to 1."""
        for name in fields:
            self.that(0 <= getattr(self._config, name) <= 1, name, expected)

    def rates(self, *fields: str) -> None:
        """Raises unless every field is a rate at which something is dropped, below 1."""
        for name in fields:
            self.that(0 <= getattr(self._config, name) < 1, name, "a rate of 0 or more, below 1")

    def _check_type(self, name: str, kind: Any) -> None:
        value, path = getattr(self._config, name), f"{self._prefix}{name}"
        if typing.get_origin(kind) is tuple and dataclasses.is_dataclass(typing.get_args(kind)[0]):
            member = typing.get_args(kind)[0]
            is_right = isinstance(value, tuple) and all(type(part) is member for part in value)
            require(is_right, path, f"a tuple of {member.__name__}", value)
            return
        parts = [part for part in (kind, *typing.get_args(kind)) if dataclasses.is_dataclass(part)]
        if parts:
            names = " or ".join(str(getattr(part, "__name__", part)) for part in parts)
            article = "a" if len(parts) == 1 else "one of"
            require(type(value) in parts, path, f"{article} {names}", value)
        else:
            build(kind, value, path)
