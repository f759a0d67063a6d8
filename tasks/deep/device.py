"""Where a network computes: on which device, and on the CPU with how many threads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


def best_device() -> str:
    """``"cuda"`` on a worker with a GPU, ``"cpu"`` elsewhere."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Keep torch to the worker's own thread budget, and give back what it had before."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
