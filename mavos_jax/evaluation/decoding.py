"""Frames decoded on other threads, ahead of who takes them."""

from __future__ import annotations

import collections
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np


def decoded_ahead(
    read: Callable[[int], np.ndarray], count: int, *, num_threads: int = 4, ahead: int = 16
) -> Generator[np.ndarray]:
    """Yields what ``read`` returns for 0 to ``count`` - 1, in order.

    At most ``ahead`` results wait, which bounds the memory they take. An exception of ``read``
    comes in its place. Closing the iterator ends the threads.

    Args:
      read: reads one frame; it is called from several threads.
      count: frames in all.
      num_threads: that read.
      ahead: frames that may be read before they are asked for.
    """
    with ThreadPoolExecutor(num_threads, thread_name_prefix="decode-ahead") as pool:
        waiting: collections.deque[Future[np.ndarray]] = collections.deque()
        try:
            for index in range(count):
                waiting.append(pool.submit(read, index))
                if len(waiting) > ahead:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)
