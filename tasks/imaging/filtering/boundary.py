"""What lies outside of an image: the boundary conditions of the IBSI manual on filters (arXiv:2006.05470)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from storage.volume import FloatArray

Boundary = Literal["zero", "nearest", "periodic", "mirror"]
"""Zeros, the border's voxels, the image again, or the image mirrored at its faces: ``d c b a | a b c d``."""

MODES: dict[Boundary, Any] = {"zero": "constant", "nearest": "edge", "periodic": "wrap", "mirror": "symmetric"}
"""The boundaries by their names in NumPy."""


def extended(image: FloatArray, sides: Sequence[tuple[int, int]], boundary: Boundary) -> FloatArray:
    """The image with so many voxels more before and after it along each axis; they may be more than it has."""
    return np.pad(image, sides, mode=MODES[boundary])
