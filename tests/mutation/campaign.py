"""Damages small sound files in thousands of ways and has the package read them.

python -m mutation.campaign (in tests/, with the package on PYTHONPATH) tries 2,000 inputs of every
kind in two processes, and fails where a reader does anything but give a right result or refuse the
input in one line. --kind png --seed 17 tries one input again, and --keep FOLDER leaves it there.
"""

from __future__ import annotations

import argparse
import collections
import faulthandler
import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mutation.trial import SUBJECTS, Failure, Outcome, Trial

ROOT = Path(__file__).parents[2]
NUM_INPUTS = 2000
NUM_PROCESSES = 2
_BATCH = 250
_WATCHDOG_SECONDS = 120
"""After which a process that hangs in one input ends itself; other work may slow it down."""
_HEADROOM = 4 << 30
"""Bytes of addresses that a process may take beyond those that it begins with."""


def run_campaign(kind: str, num_inputs: int = NUM_INPUTS, first: int = 0) -> list[Outcome]:
    """Tries inputs of one of SUBJECTS in processes of their own; survives that those die."""
    end = first + num_inputs
    with ThreadPoolExecutor(NUM_PROCESSES) as pool:
        starts = range(first, end, _BATCH)
        batches = pool.map(lambda start: _run_batch(kind, start, min(start + _BATCH, end)), starts)
        return [outcome for batch in batches for outcome in batch]


def _run_batch(kind: str, start: int, end: int) -> list[Outcome]:
    """Tries seeds in a process, and in another from the next on where one dies of its input."""
    outcomes: list[Outcome] = []
    paths = f"{ROOT}{os.pathsep}{ROOT / 'tests'}"
    environment = {**os.environ, "PYTHONPATH": paths, "JAX_PLATFORMS": "cpu"}
    while start < end:
        command = [sys.executable, "-m", "mutation.campaign", "--kind", kind, "--worker"]
        command += ["--seed", str(start), "--inputs", str(end - start)]
        with tempfile.TemporaryFile() as errors:
            process = subprocess.Popen(
                command, env=environment, stdout=subprocess.PIPE, stderr=errors, text=True
            )
            assert process.stdout is not None
            seed = start - 1
            for line in process.stdout:
                seed, found = json.loads(line)
                if found is not None:
                    failures, *numbers = found
                    outcomes.append(Outcome(tuple(Failure(*f) for f in failures), *numbers))
            if process.wait() == 0:
                return outcomes
            errors.seek(0)
            text = errors.read().decode(errors="replace")
        if process.returncode == 1 and "Timeout" not in text:
            raise RuntimeError(f"{kind} {seed}: the campaign failed: {text}")
        reason = f"the process ended with {process.returncode}: {' '.join(text.split())[-1500:]}"
        outcomes.append(Outcome((Failure(kind, seed, (), "process", reason),), 0, 0))
        start = seed + 1
    return outcomes


def _work(kind: str, first: int, num_inputs: int) -> None:
    """Tries seeds one after the other, telling the parent of each before and after."""
    talk, cry = (os.fdopen(os.dup(number), "w", buffering=1) for number in (1, 2))
    faulthandler.enable(cry)  # the standard error output is listened to
    with tempfile.TemporaryDirectory(prefix="mutations-") as folder:
        trial = Trial(kind, Path(folder))
        trial.run(-1)  # imports, caches and pools are no growth
        size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (size + _HEADROOM, resource.RLIM_INFINITY))
        for seed in range(first, first + num_inputs):
            print(json.dumps((seed, None)), file=talk)
            faulthandler.dump_traceback_later(_WATCHDOG_SECONDS, exit=True, file=cry)
            outcome = trial.run(seed)
            faulthandler.cancel_dump_traceback_later()
            print(json.dumps((seed, outcome)), file=talk)
    # Libraries' threads and destructors are not what is tried.
    talk.flush()
    os._exit(0)


def summarise(outcomes: Iterable[Outcome]) -> Iterator[str]:
    """Yields a line for each place and reason of failures: their number and the first one."""
    groups: dict[tuple[str, str], list[Failure]] = collections.defaultdict(list)
    for failure in (failure for outcome in outcomes for failure in outcome.failures):
        groups[failure.place or failure.reason, failure.reason.partition(":")[0]].append(failure)
    for group in sorted(groups.values(), key=len, reverse=True):
        yield f"{len(group)} x {group[0]}"


def _run_one(kind: str, seed: int, keep: Path | None) -> Outcome:
    with tempfile.TemporaryDirectory(prefix="mutations-") as folder:
        trial = Trial(kind, Path(folder))
        outcome = trial.run(seed)
        if keep is not None:
            trial.keep(seed, keep)
    return outcome


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kind", action="append", choices=SUBJECTS, help="default: all")
    parser.add_argument("--inputs", type=int, default=NUM_INPUTS, help="of each kind")
    parser.add_argument("--first", type=int, default=0, help="seed")
    parser.add_argument("--seed", type=int, help="the only input to try, of one --kind")
    parser.add_argument("--keep", type=Path, help="folder for the damaged files of --seed")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    kinds = arguments.kind or list(SUBJECTS)
    if arguments.worker:
        _work(kinds[0], arguments.seed, arguments.inputs)
    num_failures = 0
    for kind in kinds:
        if arguments.seed is None:
            outcomes = run_campaign(kind, arguments.inputs, arguments.first)
        else:
            outcomes = [_run_one(kind, arguments.seed, arguments.keep)]
        print("\n".join(summarise(outcomes)))
        num_failures += sum(len(outcome.failures) for outcome in outcomes)
        print(
            f"{kind}: {len(outcomes)} inputs, "
            f"{sum(outcome.num_right > 0 for outcome in outcomes)} read by some reader, "
            f"{sum(outcome.num_refused for outcome in outcomes)} refusals, "
            f"{num_failures} failures so far",
            flush=True,
        )
    raise SystemExit(int(num_failures > 0))


if __name__ == "__main__":
    main()
