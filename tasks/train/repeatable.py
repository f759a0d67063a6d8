"""What makes a training repeat itself bit for bit, and leaves the process as it was."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

CUBLAS = "CUBLAS_WORKSPACE_CONFIG"
REPEATABLE = ":4096:8"
"""With another value of it cuBLAS may split its sums in another way each time."""


def seed_step(*numbers: int) -> None:
    """Seed torch's generators from some numbers, such as (seed, epoch, step), each set of which gives other numbers."""
    import torch

    torch.manual_seed(int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0]))


@contextmanager
def own_random_numbers(device: str) -> Iterator[None]:
    """Put torch's global generators back afterwards: dropout draws from them."""
    import torch

    where = torch.device(device)
    with torch.random.fork_rng(devices=[where] if where.type == "cuda" else []):
        yield


@contextmanager
def deterministic_algorithms(wanted: bool) -> Iterator[None]:
    """Let torch refuse operations that give other bits each time; as it was before, afterwards.

    Such operations raise ``RuntimeError`` and name themselves: adaptive average pooling on CUDA is one.
    """
    import torch

    if not wanted:
        yield
        return
    enabled, only_warns = (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
    )
    benchmark, workspace = torch.backends.cudnn.benchmark, os.environ.get(CUBLAS)
    os.environ.setdefault(CUBLAS, REPEATABLE)
    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.benchmark = False
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(enabled, warn_only=only_warns)
        torch.backends.cudnn.benchmark = benchmark
        if workspace is None:
            del os.environ[CUBLAS]
