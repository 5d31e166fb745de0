"""Requests to stop: SIGTERM, SLURM's SIGUSR1 and the keyboard, agreed on by all processes."""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType
from typing import Any

import jax
from jax.experimental import multihost_utils

_SIGNALS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)


class StopRequest:
    """Notes, inside a ``with`` block, that the run should save and end.

    A process on its own takes the signals itself; a second interruption from the keyboard ends it
    at once. Of several, connected by ``jax.distributed``, any one may get a signal: JAX's own
    notifier for SIGTERM, which must stay in place, makes all of them stop after the same step.
    """

    def __init__(self) -> None:
        self._is_shared = jax.distributed.is_initialized()
        self._signal: int | None = None
        self._has_passed_on = False
        self._before: dict[signal.Signals, Any] = {}

    @property
    def reason(self) -> str:
        """What asked to stop, in words."""
        return "SIGTERM" if self._signal is None else signal.Signals(self._signal).name

    @property
    def is_interruption(self) -> bool:
        """Whether the keyboard asked."""
        return self._signal == signal.SIGINT

    @property
    def is_noted(self) -> bool:
        """Whether this process knows that it was asked to stop.

        Of several, none knows of SIGTERM before :meth:`reached` tells.
        """
        return self._signal is not None or self._has_passed_on

    def reached(self, step: int) -> bool:
        """Says whether to stop now; every process must ask, with the same step."""
        if self._is_shared:
            return multihost_utils.reached_preemption_sync_point(step)
        return self.is_noted

    def __enter__(self) -> StopRequest:
        if threading.current_thread() is threading.main_thread():
            handler = self._pass_on if self._is_shared else self._note
            for number in _SIGNALS:
                if not (self._is_shared and number == signal.SIGTERM):  # that one is JAX's
                    self._before[number] = signal.signal(number, handler)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if number == self._signal == signal.SIGINT:
            raise KeyboardInterrupt
        self._signal = number

    def _pass_on(self, number: int, frame: FrameType | None) -> None:
        self._has_passed_on = True
        os.kill(os.getpid(), signal.SIGTERM)
