"""Levels of many cases at hand in memory, no more of them than a number of bytes allows.

Coarse levels are small: the fourth of a CT of 100 MB has 50 kB, so that those of a whole cohort fit and are looked up
in microseconds. Where they do not, the one that was asked for longest ago goes first.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass

import numpy as np

from tasks.imaging.step import Array

Key = tuple[str, int]
"""A case and the level of its pyramid."""


@dataclass(frozen=True)
class CacheState:
    """How often a level was at hand, how often it was not, and what is held now."""

    hits: int
    misses: int
    held: int
    held_bytes: int


class LevelCache:
    """Levels by case and number, for any number of threads.

    Parameters
    ----------
    load
        Gives a level that is not at hand. It is called once for a level, also when several threads ask for it at once,
        and may be called for several levels at the same time.
    capacity_bytes
        Of all levels held. A level larger than that is handed out but not held.

    Raises
    ------
    ValueError
        For a negative capacity.
    """

    def __init__(self, load: Callable[[str, int], Array], capacity_bytes: int) -> None:
        if capacity_bytes < 0:
            raise ValueError(f"expected a capacity of 0 bytes or more; got {capacity_bytes}")
        self._load = load
        self._capacity_bytes = capacity_bytes
        self._held: OrderedDict[Key, Array] = OrderedDict()
        self._held_bytes = 0
        self._coming: dict[Key, Future[Array]] = {}
        self._hits = self._misses = 0
        self._lock = threading.Lock()

    def get(self, case: str, level: int) -> Array:
        """A level, which cannot be written to, since others are given the same one. Errors of ``load`` come through."""
        key = (case, level)
        with self._lock:
            if key in self._held:
                self._hits += 1
                self._held.move_to_end(key)
                return self._held[key]
            self._misses += 1
            coming = self._coming.get(key)
            if mine := coming is None:
                coming = self._coming[key] = Future()
        if mine:
            self._fetch(key, coming)
        return coming.result()

    @property
    def state(self) -> CacheState:
        """Counts up to now."""
        with self._lock:
            return CacheState(self._hits, self._misses, len(self._held), self._held_bytes)

    def _fetch(self, key: Key, coming: Future[Array]) -> None:
        """Load a level for everyone who waits for it, and hold it."""
        try:
            # A copy where it is part of something larger, which would otherwise stay in memory uncounted.
            loaded = np.require(self._load(*key), requirements="O").view()
            loaded.flags.writeable = False
        except BaseException as error:
            with self._lock:
                del self._coming[key]
            coming.set_exception(error)
            return
        with self._lock:
            del self._coming[key]
            self._hold(key, loaded)
        coming.set_result(loaded)

    def _hold(self, key: Key, level: Array) -> None:
        if level.nbytes > self._capacity_bytes:
            return
        self._held[key] = level
        self._held_bytes += level.nbytes
        while self._held_bytes > self._capacity_bytes:
            _, oldest = self._held.popitem(last=False)
            self._held_bytes -= oldest.nbytes
