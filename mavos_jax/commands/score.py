"""Scores a folder of masks: ``python -m mavos_jax.commands.score --results DIR ...``."""

from __future__ import annotations

import argparse
import os
import typing
from collections.abc import Sequence
from pathlib import Path

from mavos_jax.commands.benchmark_arguments import (
    RaisingParser,
    add_benchmark_options,
    benchmark_options,
    whole_number,
)
from mavos_jax.commands.options import main_with_errors
from mavos_jax.datasets import open_benchmark
from mavos_jax.datasets.rule import LongTimeVideoRule, LvosRule, ScoringRule, read_names
from mavos_jax.evaluation.reading import describe_surplus
from mavos_jax.evaluation.score_files import (
    FILE_NAME,
    describe_inputs,
    global_table,
    require_replaceable,
    sequence_table,
    write_scores,
)
from mavos_jax.evaluation.scoring import score_results
from mavos_jax.runtime.files import require_writable_parent


def main(argv: Sequence[str] | None = None) -> None:
    """Scores the masks that the command line names, prints the scores and writes them.

    Raises:
      ValueError: an option is wrong, the benchmark or the masks are not as expected, or there are
        scores of something else already.
    """
    arguments = _parser().parse_args(argv)
    output = arguments.output or arguments.results
    require_writable_parent(output / FILE_NAME)
    benchmark = open_benchmark(benchmark_options(arguments, arguments.sequences))
    rule = ScoringRule(
        official_decay=arguments.official_decay,
        lvos=arguments.lvos_rule,
        long_time_video=arguments.long_time_video_rule,
        unseen=None if arguments.unseen is None else read_names(arguments.unseen),
    )
    is_whole = not arguments.sequences
    if surplus := describe_surplus(arguments.results, benchmark, is_whole=is_whole):
        print(f"{arguments.results}: {surplus}")
    inputs = describe_inputs(arguments.results, benchmark, rule)
    if not arguments.overwrite:
        require_replaceable(output, benchmark, inputs)
    scores = score_results(benchmark, arguments.results, rule, num_processes=arguments.processes)
    write_scores(output, benchmark, scores, inputs)
    print(sequence_table(scores))
    print(f"\n{benchmark.name}: {scores.rule}")
    print(global_table(benchmark, scores))
    print(f"\nwritten to {output / FILE_NAME} and CSV files beside it")


def _parser() -> argparse.ArgumentParser:
    parser = RaisingParser(
        prog="python -m mavos_jax.commands.score",
        description="Score a folder of masks by the protocol of its benchmark: a table, CSV files "
        f"with the official columns, and {FILE_NAME} with every number. Scores that are there are "
        "computed again, never reused.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add(
        "--results",
        type=Path,
        required=True,
        help="the folder with <sequence>/<frame>.png, or with these below Annotations or masks",
    )
    add_benchmark_options(parser)
    add("--sequences", nargs="+", default=(), help="the only ones to score (default: all)")
    add("--output", type=Path, help="the folder to write to (default: that of --results)")
    add(
        "--overwrite",
        action="store_true",
        help="replace scores of another benchmark, of other masks or by another rule, too",
    )
    add(
        "--processes",
        type=whole_number,
        default=len(os.sched_getaffinity(0)),
        help="sequences scored at a time (default: one for each CPU; 0: none beside this process)",
    )
    _add_rule(parser)
    return parser


def _add_rule(parser: argparse.ArgumentParser) -> None:
    """Adds the options that choose between variants of the protocols."""
    add, rule = parser.add_argument, ScoringRule()
    add(
        "--lvos-rule",
        choices=typing.get_args(LvosRule),
        default=rule.lvos,
        help="the official tool since May 2024 drops the first and last frame of each life span, "
        "that of before none (default: %(default)s)",
    )
    add(
        "--long-time-video-rule",
        choices=typing.get_args(LongTimeVideoRule),
        default=rule.long_time_video,
        help="drop the first and last label, or the first alone (default: %(default)s)",
    )
    add(
        "--unseen",
        type=Path,
        help="a file with the names of unseen videos (LVOS) or categories (YouTube-VOS), one in a "
        "line; without it, scores are plain means over objects",
    )
    add(
        "--official-decay",
        action="store_true",
        help="keep the official tool's error in the decay of more than 256 frames",
    )


if __name__ == "__main__":
    main_with_errors(main)
