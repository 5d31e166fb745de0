"""Several processes that train together: joining, agreeing, and stopping after the same step."""

import os
import re
import signal
import threading
from collections.abc import Mapping
from types import FrameType
from typing import Any, TypeVar

import jax
import numpy as np
from jax.experimental import multihost_utils

_HEARTBEAT_SECONDS = 60
_SHUTDOWN_SECONDS = 10
_SLURM = ("SLURM_JOB_ID", "SLURM_STEP_NODELIST", "SLURM_NTASKS", "SLURM_PROCID", "SLURM_LOCALID")
_SIGNALS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)
_Tree = TypeVar("_Tree")


def connect(
    coordinator: str | None = None,
    num_processes: int | None = None,
    process_id: int | None = None,
    environment: Mapping[str, str] = os.environ,
) -> bool:
    """Joins the other processes of a run before any other use of JAX; says if there are any.

    What is not given comes from ``JAX_COORDINATOR_ADDRESS``, ``JAX_NUM_PROCESSES`` and
    ``JAX_PROCESS_ID``, or from SLURM inside ``srun``. Raises ValueError if they do not fit.
    """
    coordinator = coordinator or environment.get("JAX_COORDINATOR_ADDRESS")
    num_processes = _number(num_processes, "JAX_NUM_PROCESSES", environment)
    process_id = _number(process_id, "JAX_PROCESS_ID", environment)
    is_slurm = all(name in environment for name in _SLURM)
    given = (coordinator, num_processes, process_id)
    if given == (None, None, None) and not (is_slurm and int(environment["SLURM_NTASKS"]) > 1):
        return False
    if None in given and not is_slurm:
        raise ValueError(
            "expected --coordinator HOST:PORT, --num_processes N and --process_id I together (or "
            f"JAX_COORDINATOR_ADDRESS, JAX_NUM_PROCESSES and JAX_PROCESS_ID), found {given}"
        )
    if coordinator is not None and not re.fullmatch(r".+:\d+", coordinator):
        raise ValueError(f"--coordinator: expected HOST:PORT, found {coordinator!r}")
    if num_processes is not None and not 0 <= (process_id or 0) < num_processes:
        raise ValueError(
            f"--process_id: expected 0 to {num_processes - 1}, below --num_processes, "
            f"found {process_id}"
        )
    jax.distributed.initialize(
        coordinator,
        num_processes,
        process_id,
        local_device_ids=local_devices(environment) if is_slurm else None,
        cluster_detection_method=None if is_slurm else "deactivate",
        heartbeat_timeout_seconds=_HEARTBEAT_SECONDS,
        # How long one that ends waits for the others to end, who may have failed.
        shutdown_timeout_seconds=_SHUTDOWN_SECONDS,
    )
    return True


def local_devices(environment: Mapping[str, str]) -> list[int] | None:
    """Returns which of the GPUs that it sees a SLURM task should use, or None for JAX's choice."""
    # JAX takes the one of the task's number on its node, wrong for a task that sees only its own
    # GPU (``--gpus-per-task=1``), and for one task on a whole node.
    if "JAX_LOCAL_DEVICE_IDS" in environment:
        return None
    visible = [x for x in environment.get("CUDA_VISIBLE_DEVICES", "").split(",") if x]
    on_node = environment.get("SLURM_GPUS_ON_NODE", "")
    num_visible = len(visible) or (int(on_node) if on_node.isdecimal() else 0)
    of_job = environment.get("SLURM_TASKS_PER_NODE", "")
    tasks = environment.get("SLURM_STEP_TASKS_PER_NODE") or of_job
    counts = {int(x) for x in re.findall(r"(\d+)(?:\(x\d+\))?", tasks)}
    if num_visible == 1 or (num_visible and counts == {1}):
        return list(range(num_visible))
    is_cpu = environment.get("JAX_PLATFORMS") == "cpu"
    if num_visible and counts and num_visible not in counts and not is_cpu:
        raise ValueError(
            f"SLURM: expected one task on a node, or as many as there are GPUs, found {tasks} "
            f"tasks and {num_visible} GPUs; give --ntasks-per-node {num_visible} or 1, or say with "
            "JAX_LOCAL_DEVICE_IDS which GPUs each task uses"
        )
    return None


def _number(value: int | None, name: str, environment: Mapping[str, str]) -> int | None:
    if value is not None or name not in environment:
        return value
    if not environment[name].isdecimal():
        raise ValueError(f"{name}: expected a number, found {environment[name]!r}")
    return int(environment[name])


def is_first() -> bool:
    """Whether this process writes for all."""
    return jax.process_index() == 0


def print_once(line: str) -> None:
    """Prints a line once for all processes."""
    if is_first():
        print(line, flush=True)


def broadcast(tree: _Tree) -> _Tree:
    """Returns the arrays of process 0 on every process, as NumPy arrays."""
    if jax.process_count() == 1:
        return tree
    return jax.tree.map(np.asarray, multihost_utils.broadcast_one_to_all(tree))


def sum_over_processes(values: np.ndarray) -> np.ndarray:
    """Returns the sums of every process's numbers over all processes, float64."""
    values = values.astype(np.float64)
    if jax.process_count() == 1:
        return values
    # As whole numbers, because JAX would gather doubles as floats.
    parts = np.asarray(multihost_utils.process_allgather(values.view(np.uint8)))
    return parts.view(np.float64).reshape(-1, values.size).sum(axis=0)


class StopRequest:
    """Notes, inside a ``with`` block, that the run should save and end.

    SIGTERM, SLURM's SIGUSR1 and the keyboard ask for it; the keyboard's second ends a single
    process at once. Of several, any may get one: JAX's own notifier for SIGTERM stops them all.
    """

    def __init__(self) -> None:
        self._is_shared = jax.distributed.is_initialized()
        self._signal: int | None = None
        self._has_passed_on = False
        self._next = 0  # the first step not asked about yet
        self._before: dict[signal.Signals, Any] = {}

    @property
    def reason(self) -> str:
        """The signal that asked to stop."""
        return "SIGTERM" if self._signal is None else signal.Signals(self._signal).name

    @property
    def is_noted(self) -> bool:
        """Whether this process knows of a request; of several, none knows of SIGTERM."""
        return self._signal is not None or self._has_passed_on

    def reached(self, step: int) -> bool:
        """Whether to stop now; every process must ask, with the same step."""
        if self._is_shared:
            # JAX puts a request that comes before the first call at step 1, also in a resumed run.
            steps, self._next = range(self._next, step + 1), step + 1
            return any(map(multihost_utils.reached_preemption_sync_point, steps))
        return self.is_noted

    def __enter__(self) -> "StopRequest":
        if threading.current_thread() is threading.main_thread():
            handler = self._pass_on if self._is_shared else self._note
            for number in _SIGNALS:
                if not (self._is_shared and number == signal.SIGTERM):  # that one is JAX's
                    self._before[number] = signal.signal(number, handler)
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if number == self._signal == signal.SIGINT:
            raise KeyboardInterrupt
        self._signal = number

    def _pass_on(self, number: int, frame: FrameType | None) -> None:
        self._has_passed_on = True
        os.kill(os.getpid(), signal.SIGTERM)
