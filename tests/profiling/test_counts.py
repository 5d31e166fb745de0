"""What a dump says that a GPU would launch: a scan of eight frames, compiled for an H100.

Every frame has a 3x3 convolution of [96, 64, 8] to 64 channels, attention of 6,144 tokens of 64
channels to themselves, and under a condition one more product.
"""

import re
import shutil
from pathlib import Path

import pytest
from refusals import refuse

from mavos_jax.profiling.compiled import parts_of_chunk, report
from mavos_jax.profiling.counts import Counter, Rates
from mavos_jax.profiling.dump import read_dump, require_no_dump

DUMP = Path(__file__).parent / "dump"
RATES = Rates(memory=1e12, half=1e15, rough=1e15, full=1e15, floor=1e-6)
CONVOLUTION = 2 * 96 * 64 * 64 * 9 * 8
PRODUCT = 2 * 96 * 64 * 96 * 64 * 64
WRITE = 2 * 96 * 64 * 64 * 64


def test_a_frame_is_one_graph_and_its_condition_is_the_devices():
    once, frame, written = Counter(read_dump(DUMP), RATES).chunk()
    assert (frame.kernels, frame.graphs, frame.launches, frame.waits) == (11, 1, 1, 0)
    assert frame.kinds == {"layout": 3, "other": 2, "convolution": 1, "product": 2, "reduction": 3}
    assert written.kernels == 12
    assert (once.kernels, once.graphs, once.launches) == (6, 1, 2)  # a copy is behind the loop


def test_operations_and_bytes_are_those_of_the_shapes():
    _, frame, written = Counter(read_dump(DUMP), RATES).chunk()
    assert frame.operations == CONVOLUTION + 2 * PRODUCT
    assert written.operations - frame.operations == WRITE
    # Of both slices of the stacks, a frame's own part is read and written; logits are read and
    # written by the softmax, written before and read after it.
    scores = 2 * (96 * 64) ** 2
    assert 4 * scores < frame.bytes < 4.4 * scores
    assert frame.seconds == pytest.approx(frame.bytes / 1e12, rel=0.1)  # and some floors


def test_the_mean_shares_the_chunk_and_its_writes():
    chunk = Counter(read_dump(DUMP), RATES).chunk()
    assert chunk.mean(8, 5).kernels == pytest.approx(6 / 8 + 11 + 1 / 5)
    text = report(parts_of_chunk(chunk, 8, 5), {"temporaries": 2_500_000})
    assert re.search(r"mean, every 5\. written +11\.95 ", text)
    assert "temporaries 2" in text


def test_without_graphs_the_host_launches_everything_and_waits(tmp_path):
    shutil.copytree(DUMP, tmp_path, dirs_exist_ok=True)
    path = tmp_path / "module.thunk_sequence_after_thunk_passes.txt"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(line for line in lines if "kCommandBuffer" not in line))
    _, frame, _ = Counter(read_dump(tmp_path), RATES).chunk()
    assert (frame.graphs, frame.launches, frame.waits) == (0, frame.kernels, 1)


def test_a_folder_has_one_dump(tmp_path):
    refuse(re.escape(str(tmp_path)), read_dump, tmp_path)
    require_no_dump(tmp_path)
    refuse(f"{re.escape(str(DUMP))}: expected no dump", require_no_dump, DUMP)
