"""What the commands share that read a benchmark: their parser, and the options that open it."""

from __future__ import annotations

import argparse
import sys
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from mavos_jax.datasets.dataset import DATASETS, BenchmarkOptions, Resolution
from mavos_jax.runtime.files import expand_home


class RaisingParser(argparse.ArgumentParser):
    """A parser whose errors are raised, to be reported in one line as all others.

    The names of options may be written with underscores, as those of the scripts are.
    """

    def parse_known_args(self, args=None, namespace=None):
        """Parses words, those of this process by default."""
        words = sys.argv[1:] if args is None else args
        return super().parse_known_args(
            [_with_dashes(expand_home(word)) for word in words], namespace
        )

    def error(self, message: str) -> NoReturn:
        """Raises ValueError."""
        raise ValueError(f"{message}; see --help")


def _with_dashes(word: str) -> str:
    """Writes the name of an option with dashes; its value and other words stay."""
    name, equals, value = word.partition("=")
    return name.replace("_", "-") + equals + value if name.startswith("--") else word


def add_benchmark_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options that :func:`benchmark_options` reads."""
    add = parser.add_argument
    add("--dataset", required=True, choices=DATASETS, help="what was segmented")
    add("--split", required=True, help="of the set, such as val")
    add("--root", type=Path, required=True, help="the folder of the set")
    add(
        "--masks-root",
        type=Path,
        help="of DAVIS: the folder with Annotations, if that is not the root",
    )
    add(
        "--resolution",
        choices=typing.get_args(Resolution),
        default="480p",
        help="of DAVIS: its stored 480p or full masks, or full ones shrunk (default: %(default)s)",
    )
    add(
        "--all-frames",
        action="store_true",
        help="of YouTube-VOS: take the package of all frames; masks of the listed ones count",
    )
    add(
        "--short-edge",
        type=lambda text: whole_number(text, minimum=1),
        help="take the set at this shorter edge, as the results were made (480 for LVOS in the "
        "paper; default: as stored)",
    )


def benchmark_options(
    arguments: argparse.Namespace, sequences: Sequence[str] = ()
) -> BenchmarkOptions:
    """Reads the options of :func:`add_benchmark_options`; all sequences count unless some do."""
    return BenchmarkOptions(
        dataset=arguments.dataset,
        split=arguments.split,
        root=arguments.root,
        masks_root=arguments.masks_root,
        resolution=arguments.resolution,
        all_frames=arguments.all_frames,
        short_edge=arguments.short_edge,
        sequences=tuple(sequences),
    )


def whole_number(text: str, minimum: int = 0) -> int:
    """Parses the value of an option.

    Raises:
      argparse.ArgumentTypeError: it is no whole number, or below the minimum.
    """
    if not (text.isascii() and text.isdigit() and int(text) >= minimum):
        raise argparse.ArgumentTypeError(
            f"expected a whole number of at least {minimum}, found {text!r}"
        )
    return int(text)
