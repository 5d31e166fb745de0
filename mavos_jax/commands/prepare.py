"""Writes a data set as records: ``python -m mavos_jax.commands.prepare``."""

from __future__ import annotations

import argparse
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from mavos_jax.commands.options import main_with_errors
from mavos_jax.config.data import Kind, SourceConfig
from mavos_jax.datasets.records_writing import write_records
from mavos_jax.datasets.source import open_files


def main(argv: Sequence[str] | None = None) -> None:
    """Writes the records that the command line asks for, and says so in one line.

    Raises:
      ValueError: an option is wrong, the set is not laid out as its kind is or is damaged, or there
        are records already.
    """
    arguments = _parser().parse_args(argv)
    source = SourceConfig(kind=arguments.kind, root=str(arguments.root), split=arguments.split)
    written = write_records(
        open_files(source),
        arguments.output,
        source.kind,
        source.split,
        overwrite=arguments.overwrite,
    )
    left_out = f", {written.num_left_out} left out" if written.num_left_out else ""
    print(
        f"prepared {source.kind} {source.split}: {written.num_videos} videos{left_out}, "
        f"{written.num_frames} frames, {written.num_bytes / 1e6:.1f} MB in {written.num_records} "
        f"records: {written.folder}"
    )


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are raised, to be reported in one line as all others."""

    def error(self, message: str) -> NoReturn:
        """Raises ValueError."""
        raise ValueError(f"{message}; see --help")


def _parser() -> argparse.ArgumentParser:
    kinds = [kind for kind in typing.get_args(Kind) if kind != "synthetic"]  # drawn, not read
    parser = _Parser(
        prog="python -m mavos_jax.commands.prepare",
        description='Write a data set as records, which a SourceConfig with format "records" and '
        "the output as its root opens.",
        allow_abbrev=False,
    )
    parser.add_argument("--kind", required=True, choices=kinds, help="the layout of the set")
    parser.add_argument(
        "--root", required=True, type=Path, help="the folder of the set as its authors lay it out"
    )
    parser.add_argument(
        "--output",
        required=True,
        type=Path,
        help="the folder for the records; sets of several kinds and splits may share it",
    )
    parser.add_argument("--split", default="train", help="which part of the set (default: train)")
    parser.add_argument(
        "--overwrite", action="store_true", help="replace earlier records of this kind and split"
    )
    return parser


if __name__ == "__main__":
    main_with_errors(main)
