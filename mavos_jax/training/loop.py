"""The training loop: steps, and what happens every so many of them."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np

from mavos_jax.checkpoints.description import SCORE_CONDITIONS, STEPS
from mavos_jax.config import Experiment
from mavos_jax.data.loader import Batch, Loader, make_loader, set_weights
from mavos_jax.datasets import open_source
from mavos_jax.datasets.files import FileSet
from mavos_jax.media.samples import VideoSet
from mavos_jax.models.mavos import MAVOS, build_model
from mavos_jax.runtime.compilation import CompilationClock
from mavos_jax.runtime.devices import in_32_bits, products_in
from mavos_jax.runtime.progress import describe_seconds
from mavos_jax.runtime.provenance import describe_software
from mavos_jax.training.checkpoints import Checkpoints
from mavos_jax.training.log import Log, Meter
from mavos_jax.training.pictures import paint_clip
from mavos_jax.training.preemption import StopRequest
from mavos_jax.training.processes import is_first, say
from mavos_jax.training.resume import compare_scores, join_fingerprints, split_fingerprints
from mavos_jax.training.start import Convert, begin, opened_workdir
from mavos_jax.training.state import TrainState, variables_of
from mavos_jax.training.step import (
    Metrics,
    build_prediction,
    build_step,
    replicate,
    unreplicate,
)
from mavos_jax.training.validation import conditions, evaluate, require_scorable


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

    On SIGTERM, SIGUSR1 or an interruption from the keyboard it saves and returns.

    Args:
      config: the experiment.
      workdir: the folder of the run: checkpoints, metrics and pictures.
      convert: reads PyTorch weights, for ``training.start``.
      command: the words that started the run, to be kept with its checkpoints.

    Raises:
      ValueError: something does not fit, or training diverged (:class:`Diverged`).
      OSError: something could not be written; what was saved before is intact.
      KeyboardInterrupt: the keyboard interrupted it; it has saved.
    """
    step_of_all_devices = build_step(config)  # its demands on the configuration come first
    evaluates = config.training.loop.evaluate_every > 0
    with opened_workdir(workdir) as folder, StopRequest() as stop:
        sets = [open_source(source, frame_size(config)) for source in config.data.sources]
        data = join_fingerprints(sets)
        held_out, measured = _open_held_out(config, data) if evaluates else (None, None)
        state = begin(config, folder, data, convert)
        first = int(state.step)
        facts = {"data": data, "seed": config.training.seed, **describe_software(command)}
        if measured is not None:
            facts[SCORE_CONDITIONS] = measured
            if first:
                is_due = _is_due(first, config.training.loop.evaluate_every, config.training.steps)
                compare_scores(folder / STEPS / str(first), measured, is_due)
        if first >= config.training.steps:
            say(f"complete: {first} of {config.training.steps} steps are done in {folder}")
            return
        _describe_sources(config, sets)
        with (
            # First, because it shields Python's tracker of shared memory from signals.
            _open_loader(config, sets, first) as loader,
            Checkpoints(folder, config, facts) as checkpoints,
            Log(folder, first, config.training.steps, is_first()) as log,
        ):
            tools = _Tools(checkpoints, log, loader, stop, held_out)
            last = _Run(config, folder, step_of_all_devices, tools).train(state)
    if last < config.training.steps:
        say(f"stopped by {stop.reason} after step {last}; the same command goes on from there")
        if stop.is_interruption:
            raise KeyboardInterrupt
    else:
        say(f"complete: {last} steps in {folder}")


def _open_held_out(config: Experiment, data: str) -> tuple[VideoSet, str]:
    """Opens what periodic evaluation segments, and says under which conditions its scores stand.

    ``data`` are the fingerprints of the sources.
    """
    videos = open_source(config.data.held_out, frame_size(config))
    require_scorable(videos)
    fingerprint = videos.fingerprint()
    if fingerprint in split_fingerprints(data):
        say(f"data.held_out: {videos.name} is trained on, too: its scores say nothing of others")
    return videos, conditions(config, fingerprint)


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
        say(f"data: {videos.name}: {len(videos)} videos{left_out}, {share:.1%} of the clips")
        for note in getattr(videos, "notes", ()):
            say(f"data: {videos.name}: {note}")


def _open_loader(config: Experiment, sets: Sequence[VideoSet], step: int) -> Loader:
    return make_loader(
        config.data,
        sets,
        seed=config.training.seed,
        batch_size=config.training.batch_size,
        start_step=step,
        process_index=jax.process_index(),
        process_count=jax.process_count(),
    )


class _Tools(NamedTuple):
    """What a run works with; ``held_out`` is None if it is never evaluated."""

    checkpoints: Checkpoints
    log: Log
    loader: Loader
    stop: StopRequest
    held_out: VideoSet | None


@dataclasses.dataclass
class _Run:
    """A part of a run, from where it begins to where it ends."""

    config: Experiment
    folder: Path
    step_of_all_devices: Callable[[TrainState, Batch], tuple[TrainState, Metrics]]
    tools: _Tools

    def train(self, host_state: TrainState) -> int:
        """Trains until the last step or a request to stop, and saves; returns the step reached."""
        loop, last = self.config.training.loop, self.config.training.steps
        step, saved, score = int(host_state.step), int(host_state.step), None
        meter = Meter(int(host_state.skipped_in_row))
        state = replicate(host_state)
        batch = self._next_batch(meter)
        compilation = CompilationClock()
        while step < last and not self.tools.stop.reached(step):
            with compilation:
                compiled = compilation.seconds
                state, metrics = self.step_of_all_devices(state, batch)
            meter.leave_out(compilation.seconds - compiled)
            step += 1
            meter.add(metrics)
            current = batch
            with self._saving_on_error(meter, state):
                if step < last:  # the device works meanwhile
                    batch = self._next_batch(meter)
                self.tools.log.advance()
                self._require_finite(meter, step)
                if _is_due(step, loop.log_every, last):
                    self._write_metrics(meter, step)
                start = time.perf_counter()
                if _is_due(step, loop.picture_every):
                    self._draw(state, current, step)
            score = None
            if _is_due(step, loop.evaluate_every, last):
                score = self._evaluate(meter, state, step)
            is_due = score is not None or _is_due(step, loop.save_every, last)
            is_lost = _is_due(step, loop.log_every) and self._has_lost_a_checkpoint()
            if is_due or is_lost:
                meter.finish()
                if self._is_good(meter):
                    self.tools.checkpoints.save(unreplicate(state), score, is_retry=not is_due)
                    saved = step
            meter.leave_out(time.perf_counter() - start)
        checkpoints = self.tools.checkpoints
        if saved < step:
            checkpoints.save(unreplicate(state))
        checkpoints.wait()
        if self._has_lost_a_checkpoint():
            checkpoints.save(unreplicate(state), score, is_retry=True)
        return step

    @contextlib.contextmanager
    def _saving_on_error(
        self, meter: Meter, state: TrainState, is_shared: bool = False
    ) -> Iterator[None]:
        """Saves a state that has no checkpoint yet when something else than a step fails.

        Args:
          meter: of the run.
          state: of the newest step.
          is_shared: whether what fails on one process fails on all. If not, one of several cannot
            save: the others, which know of nothing, would not join it.
        """
        try:
            yield
        except Diverged:
            raise
        except Exception:
            # What went wrong first is what the user should read.
            with contextlib.suppress(Exception):
                meter.finish()
                if (is_shared or jax.process_count() == 1) and self._is_good(meter):
                    self.tools.checkpoints.save(unreplicate(state))
            raise

    def _is_good(self, meter: Meter) -> bool:
        """Whether to save; if all was skipped for long, the last good one stays the newest."""
        return meter.skipped_in_row <= self.config.training.optimizer.max_skipped // 2

    def _next_batch(self, meter: Meter) -> Batch:
        batch = next(self.tools.loader)
        meter.waited_for_data(self.tools.loader.waited)
        for line in self.tools.loader.damaged:
            self.tools.log.warn(f"damaged sample left out: {line}")
        meter.num_damaged += len(self.tools.loader.damaged)
        return batch

    def _require_finite(self, meter: Meter, step: int) -> None:
        limit = self.config.training.optimizer.max_skipped
        if meter.skipped_in_row < limit:
            return
        saved = self.tools.checkpoints.newest()
        kept = "no checkpoint" if saved is None else f"its checkpoint of step {saved}"
        raise Diverged(
            f"{self.folder}: expected finite losses and gradients, found none in the {limit} steps "
            f"before step {step}; {kept} is kept: look at the data and the learning rate, and "
            "train in another --workdir"
        )

    def _write_metrics(self, meter: Meter, step: int) -> None:
        config = self.config
        values = meter.summary(config.training.batch_size, config.data.clip_frames)
        self._require_finite(meter, step)
        clips_left = (config.training.steps - step) * config.training.batch_size
        seconds_left = clips_left / float(np.mean(values["clips_per_second"]))
        self.tools.log.write("train", step, values, f"  {describe_seconds(seconds_left)} left")

    def _has_lost_a_checkpoint(self) -> bool:
        """Whether to save now, because the last time failed behind the run.

        Several processes would have to agree on it and wait for the next time.
        """
        return jax.process_count() == 1 and self.tools.checkpoints.has_failed

    def _draw(self, state: TrainState, batch: Batch, step: int) -> None:
        if is_first():
            predicted = self._predict(state, batch)
            picture = paint_clip(batch.frames[0], batch.masks[0], predicted)
            self.tools.log.picture("clip", step, picture)

    def _evaluate(self, meter: Meter, state: TrainState, step: int) -> float | None:
        """Returns J&F of the moving average, or None if the run should rather stop."""
        assert self.tools.held_out is not None
        start = time.perf_counter()
        precision = products_in(self.config.inference.precision)
        with precision, self._saving_on_error(meter, state, is_shared=True):
            score = evaluate(
                self._model,
                variables_of(unreplicate(state), average=True),
                self.tools.held_out,
                self.config.training.loop.evaluate_videos,
                lambda: self.tools.stop.is_noted,
            )
        if score is None:
            return None
        values = {"J&F": score.mean, "J": score.region, "F": score.boundary}
        values |= {"objects": float(score.num_objects), "seconds": time.perf_counter() - start}
        with self._saving_on_error(meter, state):
            self.tools.log.write("evaluation", step, values)
        return score.mean

    @functools.cached_property
    def _model(self) -> MAVOS:
        return build_model(self.config)

    @functools.cached_property
    def _predict(self) -> Callable[[TrainState, Batch], np.ndarray]:
        return build_prediction(self.config)


def frame_size(config: Experiment) -> tuple[int, int]:
    """Returns height and width of generated frames.

    Those of DAVIS at the recipe's short edge, or the crop itself where sizes are kept.
    """
    short, crop = config.data.short_edge, config.data.crop
    return (short, round(short * 854 / 480)) if short else (crop, crop)


def _is_due(step: int, every: int, last: int | None = None) -> bool:
    return every > 0 and (step % every == 0 or step == last)
