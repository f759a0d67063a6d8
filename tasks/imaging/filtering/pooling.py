"""Several response maps made one, as the IBSI manual on filters (arXiv:2006.05470) has it."""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from typing import Literal

import numpy as np

from storage.volume import FloatArray

Pooling = Literal["none", "max", "mean", "min"]
"""How a filter's responses in several orientations are pooled, voxel by voxel; ``"none"``: it has one orientation."""

TWO = {"max": np.maximum, "mean": np.add, "min": np.minimum}


def pooled(responses: Iterable[FloatArray], pooling: Pooling, count: int) -> FloatArray:
    """The largest, smallest or mean of so many responses; for the mean, sums of several may come as one."""
    total = reduce(TWO[pooling], responses)
    return total / count if pooling == "mean" else total
