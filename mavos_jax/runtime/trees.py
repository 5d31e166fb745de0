"""The leaves of nested values by their path."""

from collections.abc import Mapping
from typing import Any

import jax
from flax import traverse_util


def leaves_by_path(tree: Any, sep: str = "/") -> dict[str, Any]:
    """Returns the leaves of any tree by path, such as ``params/decoder/conv_in/bias``."""
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {jax.tree_util.keystr(path, simple=True, separator=sep): leaf for path, leaf in leaves}


def nested(leaves: Mapping[str, Any]) -> dict[str, Any]:
    """Returns nested dictionaries from their leaves by path; undoes :func:`leaves_by_path`."""
    return traverse_util.unflatten_dict(dict(leaves), sep="/")


def fields_by_path(values: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the fields of nested JSON objects by path, such as ``memory.gap``, in their order."""
    return dict(traverse_util.flatten_dict(dict(values), sep="."))
