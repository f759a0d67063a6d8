"""Tests that need a CUDA device; elsewhere they say why they did not run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch


@pytest.fixture(autouse=True)
def device() -> Iterator[str]:
    """The first CUDA device, with its memory given back before and after."""
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device here")
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    yield "cuda"
    torch.cuda.empty_cache()
