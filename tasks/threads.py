"""How many threads a piece of work may use, and work shared out among them."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor


def thread_budget() -> int:
    """Threads that this process may use: what its worker was given, else every core."""
    return int(os.environ.get("OMP_NUM_THREADS", 0)) or os.cpu_count() or 1


def over_slabs(work: Callable[[int, int], object], length: int, threads: int | None = None) -> None:
    """Call ``work(start, stop)`` for ranges that make up ``0 … length``, at the same time.

    For functions that write into an array of the caller and hold no lock on the interpreter (numba's ``nogil``). The
    result must not depend on where the ranges begin.

    Parameters
    ----------
    threads
        ``None``: the budget of this process.
    """
    count = max(1, min(threads or thread_budget(), length))
    ends = [length * part // count for part in range(count + 1)]
    if count == 1:
        work(0, length)
        return
    with ThreadPoolExecutor(count) as pool:
        list(pool.map(work, ends[:-1], ends[1:]))
