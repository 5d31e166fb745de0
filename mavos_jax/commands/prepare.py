"""Writes a data set as records: ``python -m mavos_jax.commands.prepare``."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from mavos_jax.commands.errors import main_with_errors
from mavos_jax.commands.parser import parse_command
from mavos_jax.config.data import SourceConfig
from mavos_jax.datasets import TRAINING_KINDS
from mavos_jax.datasets.opening import open_files
from mavos_jax.datasets.records_writing import write_records


@dataclasses.dataclass(frozen=True)
class Arguments:
    """Write a data set as records.

    A SourceConfig with format "records" and the output as its root opens them.

    Attributes:
      kind: the layout of the set, such as davis2017 or folder; docs/data.md lists all.
      root: the folder of the set, laid out as its authors publish it.
      output: the folder for the records, which sets of several kinds and splits may share.
      split: the part of the set.
      overwrite: replace earlier records of this kind and split.
    """

    kind: str
    root: Path
    output: Path
    split: str = "train"
    overwrite: bool = False

    def __post_init__(self) -> None:
        if self.kind not in TRAINING_KINDS:
            known = ", ".join(TRAINING_KINDS)
            raise ValueError(f"--kind: expected one of {known}, found {self.kind!r}")


def main(argv: Sequence[str] | None = None) -> None:
    """Writes the records that the command line asks for, and reports them in one line."""
    arguments, _ = parse_command(Arguments, argv)
    kind, split = arguments.kind, arguments.split
    videos = open_files(SourceConfig(kind=kind, root=str(arguments.root), split=split))
    print(write_records(videos, arguments.output, kind, split, overwrite=arguments.overwrite))


if __name__ == "__main__":
    main_with_errors(main)
