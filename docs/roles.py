"""Lets the API page show Sphinx roles, :func:`save`, as code."""

import re
from typing import Any

import griffe


class Roles(griffe.Extension):
    """Rewrites every docstring once it is read."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Replaces the roles of one docstring; a name's modules are left out."""
        if obj.docstring is not None:
            obj.docstring.value = re.sub(r":\w+:`(?:[\w.]+\.)?(\w+)`", r"`\1`", obj.docstring.value)
