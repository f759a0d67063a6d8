"""What becomes of memory that was freed: workers keep it while they do a piece of work, and give it back afterwards.

A large array is freed and asked for again all the time: maps of a network, copies of a volume. By itself glibc's malloc
returns each to the system, which hands it out again page by page, filled with zeros: a fifth of a network's time on a
CPU, half of it with what Dask sets for its workers. Kept for ever, it would look like a leak to whoever watches the
worker's memory, Dask first of all. The variables are those of mallopt(3); elsewhere than with glibc they mean nothing.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from functools import cache

KEPT_BYTES = 2**30

ENVIRONMENT = {
    "MALLOC_ARENA_MAX": "1",  # that of a thread takes no large array: Dask's workers do their tasks in one
    "MALLOC_MMAP_THRESHOLD_": str(KEPT_BYTES),
    "MALLOC_TRIM_THRESHOLD_": str(KEPT_BYTES),
}
"""Of a process that keeps what it frees; read when the process begins."""


def give_back_freed() -> None:
    """Give the system what this process has freed and kept, where it was told to keep it."""
    if os.environ.get("MALLOC_TRIM_THRESHOLD_") == ENVIRONMENT["MALLOC_TRIM_THRESHOLD_"]:
        _trim()(0)


@cache
def _trim() -> Callable[[int], int]:
    try:
        trim: Callable[[int], int] = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError):  # another C library
        return lambda _pad: 0
    return trim
