"""The command: which of the three measurements the options ask for."""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Sequence

from mavos_jax.commands.options import parse_command
from mavos_jax.config.files import read_config_file
from mavos_jax.profiling.lengths import measure_lengths
from mavos_jax.profiling.options import Arguments
from mavos_jax.profiling.plot import draw_lengths, import_figure
from mavos_jax.profiling.report import lengths_values, rows_values, write_report
from mavos_jax.profiling.rows import measure_rows
from mavos_jax.profiling.single import measure_scan
from mavos_jax.profiling.tables import lengths_text, rows_text
from mavos_jax.profiling.workload import Network
from mavos_jax.runtime.files import require_writable_parent


def main(argv: Sequence[str] | None = None) -> None:
    """Runs the benchmark that the command line asks for.

    Raises:
      ValueError: an option is wrong, or a file cannot be written.
    """
    # Or else the first process would keep the memory that others are measured in.
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    arguments, experiment = parse_command(Arguments, argv)
    if experiment is None:
        raise ValueError("expected --config FILE or --checkpoint DIR, got neither")
    for path in (arguments.json, arguments.plot):
        if path is not None:
            require_writable_parent(path)
    if arguments.plot is not None:
        import_figure()
    others = (Network(read_config_file(path)) for path in arguments.against)
    networks = [Network(experiment, arguments.checkpoint), *others]
    points = []
    if arguments.lengths:
        points = measure_lengths(networks, arguments)
        text, values = lengths_text(points), lengths_values(points)
    elif arguments.has_rows:
        rows = measure_rows(networks, arguments)
        text, values = rows_text(rows), rows_values(rows)
    else:
        result = measure_scan(networks[0], arguments)
        text, values = str(result), dataclasses.asdict(result)
    print(text)
    if arguments.json is not None:
        words = sys.argv[1:] if argv is None else argv
        command = ["python", "-m", "mavos_jax.profiling", *words]
        write_report(arguments.json, arguments, command, values)
    if arguments.plot is not None:
        draw_lengths(points, arguments.plot)
