"""Calls that must be refused in one line."""

import pytest


def refuse(match, function, *arguments, **options):
    """Calls a function that must raise a ValueError of one line that matches; returns the line."""
    with pytest.raises(ValueError, match=match) as error:
        function(*arguments, **options)
    assert "\n" not in str(error.value)
    return str(error.value)
