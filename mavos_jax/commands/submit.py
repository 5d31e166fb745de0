"""Packs masks for a server, or checks a zip: ``python -m mavos_jax.commands.submit ...``."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from mavos_jax.commands.benchmark_options import BenchmarkArguments
from mavos_jax.commands.errors import main_with_errors
from mavos_jax.commands.parser import parse_command
from mavos_jax.datasets import open_benchmark
from mavos_jax.datasets.dataset import Benchmark
from mavos_jax.datasets.table import DATA_SETS
from mavos_jax.evaluation.submission import check_submission, submission_form, write_submission
from mavos_jax.runtime.files import require_new, require_writable_parent


@dataclasses.dataclass(frozen=True)
class Arguments:
    """Pack a folder of masks for its benchmark's server, or check a zip from any program.

    A faulty zip is never left behind.

    Attributes:
      results: the folder of SEQUENCE/FRAME.png, or the one above it if called Annotations or masks.
      output: the zip to write.
      overwrite: replace an existing zip.
      check: only check this zip; nothing is written.
    """

    results: Path | None = None
    output: Path | None = None
    overwrite: bool = False
    check: Path | None = None
    benchmark: BenchmarkArguments = dataclasses.field(default_factory=BenchmarkArguments)


def main(argv: Sequence[str] | None = None) -> None:
    """Writes the zip that the command line names, or checks it."""
    arguments, _ = parse_command(Arguments, argv)
    output, results, check = arguments.output, arguments.results, arguments.check
    if check is not None and results is None:
        _check(open_benchmark(arguments.benchmark.options()), check)
        return
    if results is None or check is not None:
        found = "neither" if results is None else "both"
        raise ValueError(f"expected --results DIR or --check ZIP, found {found}; see --help")
    if output is None:
        raise ValueError("expected --output FILE.zip with --results, found none; see --help")
    _require_free(output, arguments.overwrite)
    benchmark = open_benchmark(arguments.benchmark.options())
    for note in benchmark.notes:
        print(note)
    summary = write_submission(benchmark, results, output)
    print(
        f"{summary.path}: {summary.num_sequences} sequences, {summary.num_frames} frames, "
        f"{summary.num_bytes / 1e6:.1f} MB, as {submission_form(benchmark)}"
    )
    print(describe_server(benchmark))


def describe_server(benchmark: Benchmark) -> str:
    """Says in a sentence what to do with a submission."""
    if benchmark.has_truth:
        return (
            f"The labels of {benchmark.name} are here: python -m mavos_jax.commands.score gives "
            "its scores without a server."
        )
    server = DATA_SETS[benchmark.dataset].server
    if not server:
        return f"No server is known for {benchmark.name}."
    return f"Hand it in at the server of {benchmark.name}, to which {server} links."


def _require_free(path: Path, overwrite: bool) -> None:
    if path.suffix.lower() != ".zip":
        raise ValueError(f"{path}: expected a name that ends in .zip, as servers ask for")
    if path.is_dir():
        raise ValueError(f"{path}: expected a file, found a folder; give another --output")
    require_new(path, overwrite)
    require_writable_parent(path)


def _check(benchmark: Benchmark, path: Path) -> None:
    if problems := check_submission(benchmark, path):
        print("\n".join(problems))
        raise ValueError(
            f"{path}: expected a submission for {benchmark.name}, found {len(problems)} problem"
            f"{'' if len(problems) == 1 else 's'}, listed above"
        )
    print(f"{path}: no problem found")
    print(describe_server(benchmark))


if __name__ == "__main__":
    main_with_errors(main)
