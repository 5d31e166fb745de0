"""The training loop: steps, and what happens every so many of them."""

import contextlib
import dataclasses
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import jax
import numpy as np

from mavos_jax.checkpoints.description import SCORE_CONDITIONS, STEPS, scores_in
from mavos_jax.config import Experiment
from mavos_jax.data.loader import Batch, Loader, make_loader, set_weights
from mavos_jax.datasets import open_source
from mavos_jax.datasets.files import FileSet
from mavos_jax.media.samples import VideoSet
from mavos_jax.models.mavos import build_model
from mavos_jax.runtime.compilation import CompilationClock
from mavos_jax.runtime.devices import in_32_bits, products_in
from mavos_jax.runtime.progress import describe_seconds
from mavos_jax.runtime.provenance import describe_software
from mavos_jax.training.checkpoints import Checkpoints
from mavos_jax.training.devices import Step, build_prediction, build_step, replicate, unreplicate
from mavos_jax.training.log import Log, MetricsBuffer, paint_clip
from mavos_jax.training.processes import StopRequest, broadcast, is_first, print_once
from mavos_jax.training.resume import is_due, join_fingerprints, require_one_run
from mavos_jax.training.start import Convert, begin, opened_workdir
from mavos_jax.training.step import TrainState, training_precision, variables_of
from mavos_jax.training.validation import conditions, evaluate, open_held_out


class Diverged(ValueError):  # noqa: N818 - the name says what is wrong
    """Training stopped, because too many steps in a row were not finite."""


@in_32_bits
def train(
    config: Experiment,
    workdir: Path,
    *,
    convert: Convert | None = None,
    command: Sequence[str] = (),
) -> None:
    """Trains a network, from the start or from where an earlier part of the run ended.

    On SIGTERM, SIGUSR1 or an interruption from the keyboard, which it raises again, it saves and
    returns. ``convert`` reads PyTorch weights for ``training.start``; ``command`` is kept with the
    checkpoints. Raises ValueError for what does not fit, :class:`Diverged` among them, and OSError
    for what cannot be written; what was saved before is intact.
    """
    advance = build_step(config)  # its demands on the configuration come first
    steps = config.training.steps
    with opened_workdir(workdir) as folder, StopRequest() as stop:
        sets = [open_source(source, frame_size(config)) for source in config.data.sources]
        data = join_fingerprints(sets)
        facts = {"data": data, "seed": config.training.seed, **describe_software(command)}
        facts["precision"] = training_precision(config)
        held_out, judged_on = None, ""
        if config.training.loop.evaluate_every:
            held_out = open_held_out(config, frame_size(config), data)
            judged_on = held_out.fingerprint()
            facts[SCORE_CONDITIONS] = conditions(config, judged_on)
        require_one_run(config, f"{data}-{judged_on}")
        state = begin(config, folder, data, facts.get(SCORE_CONDITIONS), convert)
        first = int(state.step)
        if first >= steps:
            is_over = held_out is None or first in scores_in(folder / STEPS)
            if broadcast(np.int32(is_over)):  # all read it, perhaps not alike
                print_once(f"complete: {first} of {steps} steps are done in {folder}")
                return
        _describe_sources(config, sets)
        with (
            # First, because it shields Python's tracker of shared memory from signals.
            make_loader(
                config.data,
                sets,
                seed=config.training.seed,
                batch_size=config.training.batch_size,
                start_step=first,
                process_index=jax.process_index(),
                process_count=jax.process_count(),
            ) as loader,
            Checkpoints(folder, config, facts) as checkpoints,
            Log(folder, first, steps, is_first()) as log,
        ):
            run = _Run(config, folder, advance, loader, checkpoints, log, stop, held_out, state)
            last = run.train()
    if last == steps and not run.owes_score:
        print_once(f"complete: {last} steps in {folder}")
        return
    print_once(f"stopped by {stop.reason} after step {last}; the same command goes on from there")
    if stop.reason == "SIGINT":
        raise KeyboardInterrupt


def frame_size(config: Experiment) -> tuple[int, int]:
    """Returns the size of generated frames: the recipe's short edge and aspect, or the crop's."""
    short, crop = config.data.short_edge, config.data.crop
    return (short, round(short * config.data.aspect)) if short else (crop, crop)


def _describe_sources(config: Experiment, sets: Sequence[VideoSet]) -> None:
    weights = set_weights(config.data, sets)
    for videos, weight in zip(sets, weights, strict=True):
        left_out = f", {videos.num_left_out} left out" if videos.num_left_out else ""
        if isinstance(videos, FileSet):
            num_unused = sum(sequence.num_unmasked for sequence in videos.sequences)
            num_used = sum(len(sequence.frames) for sequence in videos.sequences)
            frames = f"{num_unused} of {num_unused + num_used} frames without masks left out"
            left_out += f", {frames}" if num_unused else ""
        share = weight / sum(weights)
        print_once(f"data: {videos.name}: {len(videos)} videos{left_out}, {share:.1%} of the clips")
        for note in getattr(videos, "notes", ()):
            print_once(f"data: {videos.name}: {note}")


@dataclasses.dataclass
class _Run:
    """A part of a run: ``step`` steps are done, ``saved`` are in a checkpoint."""

    config: Experiment
    folder: Path
    advance: Step
    loader: Loader
    checkpoints: Checkpoints
    log: Log
    stop: StopRequest
    held_out: VideoSet | None
    state: TrainState
    owes_score: bool = False  # the evaluation that was due last was given up

    def __post_init__(self) -> None:
        self.step = self.saved = int(self.state.step)
        self.buffer = MetricsBuffer(int(self.state.skipped_in_row))
        self.predict = build_prediction(self.config)
        self.state = replicate(self.state)

    def train(self) -> int:
        """Trains until the last step or a request to stop, and saves; returns the step reached."""
        loop, last = self.config.training.loop, self.config.training.steps
        if self.step >= last:  # all that is left is an evaluation that failed or was given up
            self._judge()
            return self.step
        batch = self._next_batch()
        compilation = CompilationClock()
        while self.step < last and not self.stop.reached(self.step):
            with compilation:
                compiled = compilation.seconds
                self.state, metrics = self.advance(self.state, batch)
            self.buffer.leave_out(compilation.seconds - compiled)
            self.buffer.add(metrics)
            self.step += 1
            current = batch
            with self._saving_on_error():
                if self.step < last:  # the device works meanwhile
                    batch = self._next_batch()
                self.log.advance()
                self._require_finite()
                if is_due(self.step, loop.log_every, last):
                    self._write_metrics()
                others = loop.picture_every, loop.evaluate_every, loop.save_every
                if any(is_due(self.step, every, last) for every in others):
                    self.buffer.finish()  # these wait for the steps, whose time counts
                start = time.perf_counter()
                if is_due(self.step, loop.picture_every):
                    self._draw(current)
            is_judged = is_due(self.step, loop.evaluate_every, last)
            if is_judged or is_due(self.step, loop.save_every, last):
                self._save()  # before an evaluation, in which the process may be killed
            elif is_due(self.step, loop.log_every) and self.checkpoints.has_failed:
                self._save(is_retry=True)
            if is_judged:
                self._judge()
            self.buffer.leave_out(time.perf_counter() - start)
        if self.saved < self.step:
            self.checkpoints.save(unreplicate(self.state))
        self.checkpoints.wait(is_last=True)
        if self.checkpoints.has_failed:
            self.checkpoints.save(unreplicate(self.state), is_retry=True)
        return self.step

    def _judge(self) -> None:
        score = self._evaluate()
        self.owes_score = score is None
        if score is not None:
            self.checkpoints.add_score(self.step, score)

    def _next_batch(self) -> Batch:
        batch = next(self.loader)
        self.buffer.waited_for_data(self.loader.waited)
        for line in self.loader.damaged:
            self.log.warn(f"damaged sample left out: {line}")
        self.buffer.num_damaged += len(self.loader.damaged)
        return batch

    def _require_finite(self) -> None:
        limit = self.config.training.optimizer.max_skipped
        if self.buffer.skipped_in_row < limit:
            return
        saved = self.checkpoints.newest()
        kept = "no checkpoint" if saved is None else f"its checkpoint of step {saved}"
        raise Diverged(
            f"{self.folder}: expected finite losses and gradients, found none in the {limit} steps "
            f"before step {self.step}; {kept} is kept: look at the data and the learning rate, and "
            "train in another --workdir"
        )

    def _write_metrics(self) -> None:
        training = self.config.training
        values = self.buffer.summary(training.batch_size, self.config.data.clip_frames)
        self._require_finite()
        clips_left = (training.steps - self.step) * training.batch_size
        seconds_left = clips_left / float(np.mean(values["clips_per_second"]))
        self.log.write("train", self.step, values, f"  {describe_seconds(seconds_left)} left")

    def _draw(self, batch: Batch) -> None:
        if is_first():
            picture = paint_clip(batch.frames[0], batch.masks[0], self.predict(self.state, batch))
            self.log.picture("clip", self.step, picture)

    def _evaluate(self) -> float | None:
        """Returns J&F of the moving average, or None if the run should stop instead."""
        assert self.held_out is not None
        start = time.perf_counter()
        precision = products_in(self.config.inference.precision)
        with precision, self._saving_on_error(fails_everywhere=True):
            score = evaluate(
                build_model(self.config),
                variables_of(unreplicate(self.state), average=True),
                self.held_out,
                self.config.training.loop.evaluate_videos,
                lambda: self.stop.is_noted,
            )
        if score is None:
            return None
        values = {"J&F": score.mean, "J": score.region, "F": score.boundary}
        values |= {"objects": float(score.num_objects), "seconds": time.perf_counter() - start}
        with self._saving_on_error():
            self.log.write("evaluation", self.step, values)
        return score.mean

    def _save(self, *, is_retry: bool = False) -> None:
        """Saves, unless so much was skipped that the last good checkpoint should stay."""
        self.buffer.finish()
        if self.buffer.skipped_in_row <= self.config.training.optimizer.max_skipped // 2:
            self.checkpoints.save(unreplicate(self.state), is_retry=is_retry)
            self.saved = self.step

    @contextlib.contextmanager
    def _saving_on_error(self, *, fails_everywhere: bool = False) -> Iterator[None]:
        """Saves the newest state when something other than a step fails."""
        try:
            yield
        except Diverged:
            raise
        except Exception:
            # What went wrong first is what the user should read.
            with contextlib.suppress(Exception):
                # Where one of several processes fails, the others would not join it.
                if (fails_everywhere or jax.process_count() == 1) and self.saved < self.step:
                    self._save()
            raise
