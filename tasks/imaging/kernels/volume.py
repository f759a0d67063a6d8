"""What kernels work on: three axes, contiguous in memory."""

from __future__ import annotations

import numpy as np

from tasks.imaging.step import Array


def as_volume(array: Array) -> Array:
    """``(z, y, x)`` as it is, and ``(y, x)`` as one slice; a view of the array where it is contiguous."""
    return np.ascontiguousarray(array).reshape((1,) * (3 - array.ndim) + array.shape)
