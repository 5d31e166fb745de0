import errno
import json
import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from training.stand_in import lines

from mavos_jax.training.log import Log, MetricsBuffer, cut_lines, paint_clip
from mavos_jax.training.step import Metrics


def metrics(loss, is_skipped=False):
    value, frames = np.float32(loss), np.array([loss, loss + 1], np.float32)
    values: Any = value, frames, frames, value, value, np.bool_(is_skipped)
    return Metrics(*values)


def test_averages_leave_out_skipped_steps_which_are_counted_over_summaries():
    meter = MetricsBuffer(skipped_in_row=1)
    meter.add(metrics(np.nan, is_skipped=True))
    assert "loss" not in meter.summary(1, 1)
    meter.add(metrics(np.nan, is_skipped=True))
    meter.finish()
    assert meter.skipped_in_row == 3
    for loss in (1.0, 3.0):
        meter.add(metrics(loss))
    values = meter.summary(num_clips=4, clip_frames=8)
    found = [values[name] for name in ("loss", "frame_losses", "skipped")]
    assert found == [2.0, [2.0, 3.0], 1.0]
    assert np.isclose(values["frames_per_second"], 8 * values["clips_per_second"])
    assert (meter.skipped_in_row, meter.summary(4, 8)["skipped"]) == (0, 0.0)


def test_the_host_waits_for_steps_before_the_last_two_alone():
    class Watched(Metrics):
        def _asdict(self):  # pyright: ignore[reportIncompatibleMethodOverride]
            taken.append(float(self.loss))
            return super()._asdict()

    taken = []
    meter = MetricsBuffer()
    for loss in range(4):
        meter.add(Watched(*metrics(float(loss))))
    assert taken == [0.0, 1.0]


def test_later_and_torn_lines_are_cut(tmp_path):
    file = tmp_path / "metrics.jsonl"
    written = [json.dumps({"step": step}) + "\n" for step in (1, 2, 3)]
    file.write_text("".join(written) + '{"step": 2, "lo')
    cut_lines(file, 2)
    assert file.read_text() == "".join(written[:2])


def test_metrics_go_to_files_and_console(tmp_path, capsys):
    values = {"loss": 0.5, "frame_ious": [0.9, 0.4, 0.6]}
    with Log(tmp_path, 0, 9) as log:
        log.write("train", 3, values, "  3 min left")
        log.picture("clip", 3, np.zeros((4, 6, 3), np.uint8))
    assert lines(tmp_path) == [{"step": 3, "kind": "train", **values}]
    assert capsys.readouterr().out == "step 3/9  train: loss 0.5  iou 0.500  3 min left\n"
    assert (tmp_path / "pictures" / "clip_00000003.png").is_file()
    assert list((tmp_path / "tensorboard").iterdir())


def test_without_tensorboard_metrics_only_go_to_the_file(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with Log(tmp_path, 0, 9) as log:
        log.write("train", 3, {"loss": 0.5})
    assert capsys.readouterr().out.count("tensorboardX") == 1
    assert len(lines(tmp_path)) == 1


def test_other_processes_write_nothing(tmp_path, capsys):
    with Log(tmp_path, 0, 9, is_writer=False) as log:
        log.advance()
        log.write("train", 3, {"loss": 0.5})
        log.picture("clip", 3, np.zeros((4, 6, 3), np.uint8))
    assert capsys.readouterr().out == ""
    assert not list(tmp_path.iterdir())


def test_a_dead_writer_of_tensorboard_does_not_stop_the_run(tmp_path, capsys):
    with Log(tmp_path, 0, 9) as log:
        writer = log._board.file_writer.event_writer
        log.write("train", 1, {"loss": 0.5})
        writer._worker.stop()  # a full disk ends it, too, but with a traceback
        assert not writer._worker.is_alive()
        for step in range(2, 5):
            log.write("train", step, {f"value{n}": 0.5 for n in range(500)})
        log.picture("clip", 4, np.zeros((4, 6, 3), np.uint8))
    assert capsys.readouterr().out.count("cannot be written (its writer has ended)") == 1
    assert len(lines(tmp_path)) == 4
    assert (tmp_path / "pictures" / "clip_00000004.png").is_file()


def test_a_full_disk_of_tensorboard_is_one_line(tmp_path, capsys):
    def fail():
        raise OSError(errno.ENOSPC, "No space left on device")

    with Log(tmp_path, 0, 9) as log:
        writer = log._board.file_writer.event_writer
        flush, writer.flush = writer.flush, fail
        log.write("train", 1, {"loss": 0.5})
        log.write("train", 2, {"loss": 0.5})
        writer.flush = flush
        writer.close()
    assert capsys.readouterr().out.count("No space left on device") == 1


def test_a_full_disk_of_metrics_names_the_file(tmp_path):
    def write():
        with Log(tmp_path, 0, 9) as log:
            log._file.close()
            log._file = open("/dev/full", "w")  # noqa: SIM115 - the log closes it
            log.write("train", 1, {"loss": 0.5})

    with pytest.raises(OSError, match=r"metrics\.jsonl: .*No space"):
        write()


@pytest.mark.parametrize("is_ready", [False, True])
def test_a_wait_for_data_counts_if_the_device_had_finished(is_ready):
    loss: Any = SimpleNamespace(is_ready=lambda: is_ready)
    meter = MetricsBuffer()
    meter.add(metrics(1.0)._replace(loss=loss))
    meter.waited_for_data(2.0)
    assert meter._data_seconds == 2.0 * is_ready


def test_time_that_is_left_out_does_not_slow_the_rates(monkeypatch):
    times = iter((1.0, 4.0, 4.0))
    monkeypatch.setattr("mavos_jax.training.log.time", SimpleNamespace(perf_counter=times.__next__))
    meter = MetricsBuffer()
    meter.add(metrics(1.0))
    meter.leave_out(2.5)
    assert meter.summary(num_clips=1, clip_frames=1)["clips_per_second"] == 2


def test_the_rows_of_a_picture_are_named():
    frames, masks = np.zeros((2, 64, 64, 3), np.uint8), np.zeros((2, 64, 64), np.uint8)
    upper, lower = np.split(paint_clip(frames, masks, masks), 2)
    assert upper.shape == (64, 128, 3)
    # Nothing but the words tells the rows apart, and they leave the second picture free.
    assert (upper[:20, :64] != lower[:20, :64]).any()
    np.testing.assert_array_equal(upper[:, 64:], 0)
    np.testing.assert_array_equal(upper[20:], lower[20:])
