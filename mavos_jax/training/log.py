"""What a run reports: ``metrics.jsonl``, TensorBoard, pictures, and the console's lines or bar."""

import collections
import contextlib
import json
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
import tqdm
from PIL import Image, ImageDraw

from mavos_jax.media.results import draw_overlay, write_picture
from mavos_jax.runtime.files import written_whole
from mavos_jax.runtime.trees import leaves_by_path
from mavos_jax.training.processes import sum_over_processes
from mavos_jax.training.step import Metrics

METRICS = "metrics.jsonl"

Values = Mapping[str, float | list[float]]  # a list by position in the clip, the reference first
_NUM_IN_FLIGHT = 2
_BOARD_QUEUE = 1000  # what TensorBoard's writer may be behind: more than is written at once
_MAX_FRAMES = 8
_MAX_SIDE = 256


class MetricsBuffer:
    """Averages metrics, at most two steps behind the device, so that batches do not pile up."""

    def __init__(self, skipped_in_row: int = 0) -> None:
        self.skipped_in_row = skipped_in_row
        self._in_flight: collections.deque[Metrics] = collections.deque()
        self._restart()

    def add(self, metrics: Metrics) -> None:
        """Takes the metrics of a step that may still be running."""
        self._in_flight.append(metrics)
        while len(self._in_flight) > _NUM_IN_FLIGHT:
            self._take()

    def waited_for_data(self, seconds: float) -> None:
        """Notes a wait for data that ended with the device idle: an upper bound of idleness."""
        newest = self._in_flight[-1].loss if self._in_flight else None
        if getattr(newest, "is_ready", lambda: True)():
            self._data_seconds += seconds

    def leave_out(self, seconds: float) -> None:
        """Leaves time that went into something other than steps out of the averages."""
        self._start += seconds

    def finish(self) -> None:
        """Waits until no step is running."""
        while self._in_flight:
            self._take()

    def summary(self, num_clips: int, clip_frames: int) -> dict[str, float | list[float]]:
        """Returns the averages since the last summary, over the steps that were not skipped."""
        self.finish()
        seconds = max(time.perf_counter() - self._start, 1e-9)
        clips = num_clips * self._num_steps / seconds
        means = {name: np.mean(rows, axis=0, dtype=float) for name, rows in self._rows.items()}
        values = {name: mean.tolist() for name, mean in means.items()}
        values |= {
            "clips_per_second": clips,
            "frames_per_second": clips * clip_frames,
            "data_seconds": self._data_seconds,
            "data_share": self._data_seconds / seconds,
            "skipped": float(self._num_skipped),
            "damaged": float(sum_over_processes(np.array([self.num_damaged]))[0]),
            **_memory_use(),
        }
        self._restart()
        return values

    def _restart(self) -> None:
        self._rows: dict[str, list[np.ndarray]] = collections.defaultdict(list)
        self._num_steps = self._num_skipped = self.num_damaged = 0
        self._data_seconds, self._start = 0.0, time.perf_counter()

    def _take(self) -> None:
        metrics = jax.device_get(self._in_flight.popleft())._asdict()
        is_skipped = bool(metrics.pop("is_skipped"))
        self._num_steps += 1
        self._num_skipped += is_skipped
        self.skipped_in_row = self.skipped_in_row + 1 if is_skipped else 0
        if not is_skipped:
            for name, value in metrics.items():
                self._rows[name].append(value)


def _memory_use() -> dict[str, float]:
    statistics = jax.local_devices()[0].memory_stats() or {}
    values = {}
    if "peak_bytes_in_use" in statistics:
        values["device_gb"] = statistics["peak_bytes_in_use"] / 1e9
    table = Path("/proc/self/statm")
    if table.exists():
        values["host_gb"] = int(table.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e9
    return values


class Log(contextlib.AbstractContextManager["Log"]):
    """Writes metrics of steps after ``step`` to files and the console, if it ``is_writer``."""

    def __init__(self, workdir: Path, step: int, num_steps: int, is_writer: bool = True) -> None:
        self._workdir, self._is_writer, self._num_steps = workdir, is_writer, num_steps
        if not is_writer:
            return
        cut_lines(workdir / METRICS, step)
        self._file = (workdir / METRICS).open("a", encoding="utf-8")
        self._board: Any = _open_board(workdir / "tensorboard", step)
        self._bar = tqdm.tqdm(
            total=num_steps, initial=step, unit="step", disable=None, dynamic_ncols=True
        )

    def advance(self) -> None:
        """Moves the progress bar."""
        if self._is_writer:
            self._bar.update()

    def print(self, line: str) -> None:
        """Prints a line, above the progress bar if there is one."""
        if self._is_writer and self._bar.disable:
            print(line, flush=True)
        elif self._is_writer:
            self._bar.write(line, file=sys.stdout)

    def warn(self, line: str) -> None:
        """Prints a line that only this process knows of."""
        if self._is_writer:
            self.print(line)
        else:
            print(f"process {jax.process_index()}: {line}", file=sys.stderr, flush=True)

    def write(self, kind: str, step: int, values: Values, note: str = "") -> None:
        """Writes metrics of one kind, such as ``train``; the console's line ends in ``note``."""
        if not self._is_writer:
            return
        file = self._workdir / METRICS
        try:
            self._file.write(json.dumps({"step": step, "kind": kind, **values}) + "\n")
            self._file.flush()
        except OSError as error:
            raise OSError(
                f"{file}: expected to write metrics, found: {error.strerror}; mend that, then run "
                "the same command again: it goes on from the last checkpoint"
            ) from error
        for path, value in leaves_by_path({kind: dict(values)}).items():
            self._tell_board("add_scalar", path, value, step)
        self._tell_board("flush")
        self.print(f"step {step}/{self._num_steps}  {kind}: {_describe(values)}{note}")

    def picture(self, name: str, step: int, picture: np.ndarray) -> None:
        """Writes a picture, uint8 RGB [H, W, 3], as a file and for TensorBoard."""
        if not self._is_writer:
            return
        write_picture(self._workdir / "pictures" / f"{name}_{step:08d}.png", picture)
        self._tell_board("add_image", name, picture, step, dataformats="HWC")

    def _tell_board(self, method: str, *arguments: Any, **options: Any) -> None:
        """Calls TensorBoard's writer, or gives it up if its thread has ended: calls would hang."""
        if self._board is None:
            return
        writer = getattr(getattr(self._board, "file_writer", None), "event_writer", None)
        thread = getattr(writer, "_worker", None)
        reason = "its writer has ended"
        try:
            if thread is None or thread.is_alive():
                getattr(self._board, method)(*arguments, **options)
                return
        except OSError as error:
            reason = str(error)
        self._board = None  # and never closed, which would wait as well
        queue = getattr(writer, "_event_queue", None)
        if queue is not None:
            queue.cancel_join_thread()
        folder = self._workdir / "tensorboard"
        self.print(f"{folder}: cannot be written ({reason}); metrics only go to {METRICS}")

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        if self._is_writer:
            self._bar.close()
            # It writes what is left, and what went wrong first is what the user should read.
            with contextlib.suppress(*(() if kind is None else (OSError,))):
                self._file.close()
            self._tell_board("close")


def cut_lines(file: Path, step: int) -> None:
    """Removes the lines of a file of metrics that are later than a step, or torn."""
    if not file.exists():
        return
    lines = file.read_bytes().splitlines(keepends=True)
    kept = [line for line in lines if _is_kept(line, step)]
    if len(kept) < len(lines):
        with written_whole(file) as temporary:
            temporary.write_bytes(b"".join(kept))


def _is_kept(line: bytes, step: int) -> bool:
    try:
        return line.endswith(b"\n") and json.loads(line)["step"] <= step
    except (ValueError, KeyError, TypeError, RecursionError):
        return False


def _open_board(folder: Path, step: int) -> Any:
    try:
        import tensorboardX
    except ImportError:
        print(f"tensorboardX is not installed: metrics only go to {METRICS}", flush=True)
        return None
    return tensorboardX.SummaryWriter(str(folder), purge_step=step + 1, max_queue=_BOARD_QUEUE)


def _describe(values: Values) -> str:
    texts = []
    for name, value in values.items():
        if name == "frame_ious" and isinstance(value, list):
            texts.append(f"iou {np.mean(value[1:]):.3f}")
        elif not isinstance(value, list) and (value or name == "loss"):
            texts.append(f"{name} {value:.4g}")
    return "  ".join(texts)


def paint_clip(frames: np.ndarray, truth: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Draws at most 8 frames with true masks over the same with predicted ones."""
    chosen = np.linspace(0, len(frames) - 1, min(len(frames), _MAX_FRAMES)).round().astype(int)
    shown = (slice(None, None, -(-frames.shape[1] // _MAX_SIDE)),) * 2

    def paint_row(masks: np.ndarray, title: str) -> np.ndarray:
        overlays = [draw_overlay(frames[t][shown], masks[t][shown]) for t in chosen]
        picture = Image.fromarray(np.concatenate(overlays, axis=1))
        drawing = ImageDraw.Draw(picture)
        left, top, right, bottom = drawing.textbbox((2, 2), title)
        drawing.rectangle((left - 2, top - 2, right + 2, bottom + 2), fill="black")
        drawing.text((2, 2), title, fill="white")
        return np.asarray(picture)

    return np.concatenate([paint_row(truth, "truth"), paint_row(predicted, "network")])
