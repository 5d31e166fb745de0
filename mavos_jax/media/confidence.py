"""How sure a run is of each object, as a CSV with a row for each object in each frame."""

import contextlib
import csv
import itertools
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from mavos_jax.runtime.files import written_whole

COLUMNS = ("frame", "id", "confidence", "margin", "present")

Judged = Mapping[int, tuple[float, float, bool]]  # confidence, margin, present by id

_VALUES = re.compile(r"\d+,([01]\.\d{6}|nan),([01]\.\d{6}|nan),[01]")
# Names of files may hold bytes that are no text.
_TEXT: Any = {"newline": "", "encoding": "utf-8", "errors": "surrogateescape"}


@contextlib.contextmanager
def confidence_writer(
    path: Path, *, is_flushed: bool = False
) -> Iterator[Callable[[str, Judged], None]]:
    """Opens a CSV, named once the block has succeeded; yields what adds a named frame's rows."""
    with (
        written_whole(path, is_flushed=is_flushed) as temporary,
        temporary.open("w", **_TEXT) as file,
    ):
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)

        def add(frame: str, judged: Judged) -> None:
            for number, (confidence, margin, is_present) in judged.items():
                values = f"{confidence:.6f}", f"{margin:.6f}", int(is_present)
                writer.writerow((frame, number, *values))

        yield add


def is_confidence(path: Path) -> bool:
    """Whether a CSV has exactly the form that runs write, which has no place for a mark."""
    try:
        with path.open(**_TEXT) as file:
            rows = csv.reader(file)
            is_ours = next(rows, None) == list(COLUMNS)
            return is_ours and all(_VALUES.fullmatch(",".join(row[1:])) for row in rows)
    except csv.Error:
        return False


def read_confidence(path: Path) -> Iterator[tuple[str, int, float]]:
    """Yields the frame, the id and the confidence of each row that a run wrote."""
    with path.open(**_TEXT) as file:
        for frame, number, confidence, *_ in itertools.islice(csv.reader(file), 1, None):
            yield frame, int(number), float(confidence)
