"""Packs masks for a server, or checks a zip: ``python -m mavos_jax.commands.submit ...``."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

from mavos_jax.commands.benchmark_arguments import (
    RaisingParser,
    add_benchmark_options,
    benchmark_options,
)
from mavos_jax.commands.options import main_with_errors
from mavos_jax.datasets import open_benchmark
from mavos_jax.datasets.dataset import Benchmark, Dataset
from mavos_jax.evaluation.submission import check_submission, submission_form, write_submission
from mavos_jax.runtime.files import require_writable_parent

_SERVERS: Mapping[Dataset, str] = {
    "davis2017": "https://davischallenge.org",
    "youtube_vos2018": "https://youtube-vos.org",
    "youtube_vos2019": "https://youtube-vos.org",
    "lvos1": "https://lingyihongfd.github.io/lvos.github.io",
    "lvos2": "https://lingyihongfd.github.io/lvos.github.io",
    "mose": "https://mose.video",
}


def main(argv: Sequence[str] | None = None) -> None:
    """Writes the zip that the command line names, or checks it.

    Raises:
      ValueError: an option is wrong, the benchmark or the masks are not as expected, or there is a
        file already.
    """
    arguments = _parser().parse_args(argv)
    if arguments.check is None:
        _require_output(arguments)
    benchmark = open_benchmark(benchmark_options(arguments))
    if arguments.check is not None:
        _check(benchmark, arguments.check)
    else:
        _write(benchmark, arguments.results, arguments.output)


def describe_server(benchmark: Benchmark) -> str:
    """Says in a sentence what to do with a submission."""
    if benchmark.has_truth:
        return (
            f"The labels of {benchmark.name} are here: python -m mavos_jax.commands.score gives "
            "its scores without a server."
        )
    if benchmark.dataset not in _SERVERS:
        return f"No server is known for {benchmark.name}."
    return (
        f"Hand it in at the server of {benchmark.name}, to which {_SERVERS[benchmark.dataset]} "
        "links."
    )


def _require_output(arguments: argparse.Namespace) -> None:
    """Raises unless the zip can be written, before any mask is read."""
    path: Path | None = arguments.output
    if path is None:
        raise ValueError("expected --output FILE.zip with --results, found none; see --help")
    if path.suffix.lower() != ".zip":
        raise ValueError(f"{path}: expected a name that ends in .zip, as servers ask for")
    if path.is_dir():
        raise ValueError(f"{path}: expected a file, found a folder; give another --output")
    if path.exists() and not arguments.overwrite:
        raise ValueError(
            f"{path}: expected a new file, found that it exists; give another --output, or "
            "--overwrite"
        )
    require_writable_parent(path)


def _write(benchmark: Benchmark, results: Path, path: Path) -> None:
    summary = write_submission(benchmark, results, path)
    print(
        f"{summary.path}: {summary.num_sequences} sequences, {summary.num_frames} frames, "
        f"{summary.num_bytes / 1e6:.1f} MB, as {submission_form(benchmark)}"
    )
    print(describe_server(benchmark))


def _check(benchmark: Benchmark, path: Path) -> None:
    problems = check_submission(benchmark, path)
    if problems:
        print("\n".join(problems))
        raise ValueError(
            f"{path}: expected a submission for {benchmark.name}, found {len(problems)} problem"
            f"{'' if len(problems) == 1 else 's'}, listed above"
        )
    print(f"{path}: no problem found")
    print(describe_server(benchmark))


def _parser() -> argparse.ArgumentParser:
    parser = RaisingParser(
        prog="python -m mavos_jax.commands.submit",
        description="Pack a folder of masks as the server of its benchmark takes them, or check a "
        "zip that anybody packed. A zip is checked before it gets its name.",
        allow_abbrev=False,
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "--results",
        type=Path,
        help="the folder with <sequence>/<frame>.png, or with these below Annotations or masks",
    )
    what.add_argument("--check", type=Path, metavar="ZIP", help="write nothing, check this zip")
    parser.add_argument("--output", type=Path, metavar="ZIP", help="with --results: the zip")
    parser.add_argument("--overwrite", action="store_true", help="replace a file that is there")
    add_benchmark_options(parser)
    return parser


if __name__ == "__main__":
    main_with_errors(main)
