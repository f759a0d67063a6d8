"""What is at hand and what is not, counted; never more bytes than allowed; one load for many threads."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from storage.errors import StoreError
from tasks.imaging.pyramid.cache import CacheState, LevelCache
from tasks.imaging.step import Array


class Shelf:
    """Levels of 100 bytes that tell their case and number, and a list of what was loaded."""

    def __init__(self) -> None:
        self.loaded: list[tuple[str, int]] = []

    def __call__(self, case: str, level: int) -> Array:
        self.loaded.append((case, level))
        return np.full(100, ord(case) + level, dtype=np.uint8)


def test_what_was_loaded_is_at_hand() -> None:
    shelf = Shelf()
    cache = LevelCache(shelf, 1000)
    assert cache.get("a", 2)[0] == ord("a") + 2
    assert cache.get("a", 2) is cache.get("a", 2)
    assert cache.get("a", 3)[0] == ord("a") + 3
    assert shelf.loaded == [("a", 2), ("a", 3)]
    assert cache.state == CacheState(hits=2, misses=2, held=2, held_bytes=200)


def test_the_one_asked_for_longest_ago_goes_first() -> None:
    shelf = Shelf()
    cache = LevelCache(shelf, 250)
    for case in "abac":
        cache.get(case, 0)
    assert cache.state == CacheState(hits=1, misses=3, held=2, held_bytes=200)
    for case in "acb":
        cache.get(case, 0)
    assert [case for case, _ in shelf.loaded] == ["a", "b", "c", "b"]


def test_a_level_larger_than_allowed_is_handed_out_but_not_held() -> None:
    cache = LevelCache(Shelf(), 99)
    assert cache.get("a", 0).shape == (100,)
    assert cache.state == CacheState(hits=0, misses=1, held=0, held_bytes=0)


def test_a_level_cannot_be_written_to() -> None:
    cache = LevelCache(Shelf(), 1000)
    with pytest.raises(ValueError, match="read-only"):
        cache.get("a", 0)[0] = 1


def test_a_part_of_something_large_does_not_keep_it_in_memory() -> None:
    large = np.zeros(10_000, dtype=np.uint8)
    held = LevelCache(lambda case, level: large[:10], 1000).get("a", 0)
    assert not np.shares_memory(held, large)


def test_an_error_comes_through_and_nothing_is_held() -> None:
    answers = iter([StoreError("gone"), None])

    def load(case: str, level: int) -> Array:
        if error := next(answers):
            raise error
        return np.zeros(3)

    cache = LevelCache(load, 1000)
    with pytest.raises(StoreError, match="gone"):
        cache.get("a", 0)
    assert cache.get("a", 0).shape == (3,)


def test_many_threads_that_want_one_level_load_it_once() -> None:
    shelf, together = Shelf(), threading.Barrier(8)

    def ask(cache: LevelCache) -> Array:
        together.wait(timeout=30)
        return cache.get("a", 0)

    cache = LevelCache(shelf, 1000)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(ask, [cache] * 8))
    assert shelf.loaded == [("a", 0)]
    assert all(level is found[0] for level in found)
    assert cache.state.hits + cache.state.misses == 8


def test_under_many_threads_the_bytes_are_never_exceeded() -> None:
    cache = LevelCache(Shelf(), 450)

    def ask(seed: int) -> int:
        most = 0
        for number in np.random.default_rng(seed).integers(0, 12, 200):
            case, level = "abcdef"[number // 2], int(number % 2)
            assert cache.get(case, level)[0] == ord(case) + level
            most = max(most, cache.state.held_bytes)
        return most

    with ThreadPoolExecutor(4) as pool:
        assert max(pool.map(ask, range(4))) <= 450
    assert cache.state.hits + cache.state.misses == 800


def test_a_negative_capacity_is_refused() -> None:
    with pytest.raises(ValueError, match="0 bytes or more"):
        LevelCache(Shelf(), -1)
