"""The mean of the voxels around each."""

from __future__ import annotations

from typing import Any

import numpy as np

from storage.volume import FloatArray
from tasks.imaging.filtering.boundary import Boundary

SCIPY_MODES: dict[Boundary, Any] = {"zero": "constant", "nearest": "nearest", "periodic": "wrap", "mirror": "reflect"}
"""The boundaries by their names in SciPy's ndimage."""


def box_mean(image: FloatArray, size: int, boundary: Boundary, *, slice_wise: bool) -> FloatArray:
    """The mean of ``size`` voxels along (z, y, x), or along (y, x)."""
    from scipy import ndimage

    sides = (1 if slice_wise else size, size, size)
    return np.asarray(ndimage.uniform_filter(image, sides, mode=SCIPY_MODES[boundary]))
