"""Scores a folder of masks: ``python -m mavos_jax.commands.score --results DIR ...``."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from mavos_jax.commands.benchmark_options import BenchmarkArguments, ScoringArguments
from mavos_jax.commands.errors import main_with_errors
from mavos_jax.commands.parser import parse_command
from mavos_jax.datasets import open_benchmark
from mavos_jax.evaluation import scoring
from mavos_jax.evaluation.reading import describe_surplus
from mavos_jax.runtime.files import require_writable_parent


@dataclasses.dataclass(frozen=True)
class Arguments:
    """Score a folder of masks by the protocol of its benchmark.

    Writes scores.json with every number, and CSV files with the official columns. Earlier scores
    are computed again, never reused.

    Attributes:
      results: the folder of SEQUENCE/FRAME.png, or the one above it if called Annotations or masks.
      output: the folder to write to; by default that of --results.
      sequences: score only these sequences.
      overwrite: replace scores of another benchmark, other masks or another rule.
    """

    results: Path
    output: Path | None = None
    sequences: tuple[str, ...] = ()
    overwrite: bool = False
    benchmark: BenchmarkArguments = dataclasses.field(default_factory=BenchmarkArguments)
    scoring: ScoringArguments = dataclasses.field(default_factory=ScoringArguments)


def main(argv: Sequence[str] | None = None) -> None:
    """Scores the masks that the command line names, prints the scores and writes them."""
    arguments, _ = parse_command(Arguments, argv)
    output = arguments.output or arguments.results
    require_writable_parent(output / scoring.FILE_NAME)
    benchmark = open_benchmark(arguments.benchmark.options(arguments.sequences))
    for note in benchmark.notes:
        print(note)
    options, is_whole = arguments.scoring.options(), not arguments.sequences
    if surplus := describe_surplus(arguments.results, benchmark, is_whole=is_whole):
        print(f"{arguments.results}: {surplus}")
    inputs = scoring.describe_inputs(arguments.results, benchmark, options)
    if not arguments.overwrite:
        scoring.require_replaceable(output, benchmark, inputs)
    results, num_processes = arguments.results, arguments.scoring.num_processes
    scores = scoring.score_results(benchmark, results, options, num_processes=num_processes)
    scoring.write_scores(output, benchmark, scores, inputs)
    print(scoring.sequence_table(benchmark, scores))
    print(f"\n{benchmark.name}: {scores.protocol}")
    print(scoring.global_table(benchmark, scores))
    print(f"\nwritten to {output / scoring.FILE_NAME} and CSV files beside it")


if __name__ == "__main__":
    main_with_errors(main)
