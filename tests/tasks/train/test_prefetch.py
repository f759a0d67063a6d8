"""Batches come in their order, some ahead, from another thread."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
import torch

from tasks.train.lesson import Batch
from tasks.train.prefetch import DEPTH, Prefetch


def batch_of(number: int) -> Batch:
    return Batch(torch.tensor([float(number)]), torch.tensor([number]))


def test_batches_come_in_the_order_of_their_items_from_another_thread() -> None:
    threads = set()

    def make(number: int) -> Batch:
        threads.add(threading.current_thread())
        return batch_of(number)

    with Prefetch(make, iter(range(10)), device="cpu") as batches:
        assert [int(batches.take().answers) for _ in range(10)] == list(range(10))
    assert len(threads) == 1
    assert threads.isdisjoint({threading.current_thread()})


def test_only_so_many_are_made_ahead() -> None:
    asked = []

    def items() -> Iterator[int]:
        for number in range(100):
            asked.append(number)
            yield number

    with Prefetch(batch_of, items(), device="cpu") as batches:
        assert len(asked) == DEPTH
        batches.take()
        assert len(asked) == DEPTH + 1
        assert batches.waited_s >= 0


def test_an_error_is_raised_where_its_batch_is_taken() -> None:
    def make(number: int) -> Batch:
        if number == 1:
            raise ValueError("row 1 is damaged")
        return batch_of(number)

    with Prefetch(make, iter(range(3)), device="cpu") as batches:
        batches.take()
        with pytest.raises(ValueError, match="row 1 is damaged"):
            batches.take()


def test_a_batch_that_takes_its_time_is_waited_for() -> None:
    ready = threading.Event()

    def make(number: int) -> Batch:
        ready.wait(10)
        return batch_of(number)

    with Prefetch(make, iter(range(1)), device="cpu") as batches:
        threading.Timer(0.05, ready.set).start()
        assert int(batches.take().answers) == 0
        assert 0.01 < batches.waited_s < 10


def test_nothing_goes_on_when_the_batches_are_no_longer_wanted() -> None:
    with Prefetch(batch_of, iter(range(100)), device="cpu") as batches:
        batches.take()
    assert not any(thread.name.startswith("prefetch") for thread in threading.enumerate())
