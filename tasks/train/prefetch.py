"""Batches made ahead, so that the network does not wait for them: one thread makes the next while it learns.

On a GPU the thread copies and augments on a stream of its own, beside the stream on which the network learns.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from types import TracebackType
from typing import TYPE_CHECKING, TypeVar

from tasks.train.lesson import Batch

if TYPE_CHECKING:
    import torch

T = TypeVar("T")

DEPTH = 3
"""Batches that are ready or being made: enough to bridge an uneven one, few enough for memory."""


class Prefetch:
    """Gives the batches of some items in their order.

    Parameters
    ----------
    make
        Makes the batch of an item; called in another thread. What it raises is raised where its batch is taken.
    items
        Taken some ahead, in the thread of the caller.
    device
        Where batches go.

    Attributes
    ----------
    waited_s
        How long those who took batches have waited for them.
    """

    def __init__(self, make: Callable[[T], Batch], items: Iterator[T], *, device: str) -> None:
        import torch

        self.waited_s = 0.0
        self._device = torch.device(device)
        cuda = self._device.type == "cuda"
        self._stream = torch.cuda.Stream(self._device) if cuda else None  # type: ignore[no-untyped-call]
        if self._stream is not None:  # what a lesson keeps on the device is there before anything is taken from it
            self._stream.wait_stream(torch.cuda.current_stream(self._device))
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="prefetch")
        self._jobs = (self._pool.submit(self._made, make, item) for item in items)
        self._ahead: deque[Future[tuple[Batch, torch.Event | None]]] = deque(islice(self._jobs, DEPTH))

    def __enter__(self) -> Prefetch:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._ahead.clear()
        self._pool.shutdown(cancel_futures=True)

    def take(self) -> Batch:
        """The next batch, on the device."""
        import torch

        began = time.perf_counter()
        batch, ready = self._ahead.popleft().result()
        self.waited_s += time.perf_counter() - began
        self._ahead.extend(islice(self._jobs, 1))
        if ready is not None:
            stream = torch.cuda.current_stream(self._device)
            stream.wait_event(ready)
            for tensor in (batch.inputs, batch.answers):
                tensor.record_stream(stream)  # its memory is not given to others while this stream may read it
        return batch

    def _made(self, make: Callable[[T], Batch], item: T) -> tuple[Batch, torch.Event | None]:
        import torch

        if self._stream is None:
            return make(item), None
        with torch.cuda.stream(self._stream):
            batch = make(item)
            batch = Batch(self._moved(batch.inputs), self._moved(batch.answers))
            return batch, self._stream.record_event()

    def _moved(self, tensor: torch.Tensor) -> torch.Tensor:
        if tensor.device.type == "cpu":
            return tensor.pin_memory().to(self._device, non_blocking=True)
        return tensor
