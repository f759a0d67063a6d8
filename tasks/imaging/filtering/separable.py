"""Convolution with one kernel along each axis."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from storage.volume import FloatArray
from tasks.imaging.filtering.boundary import Boundary, extended

Kernel = tuple[float, ...]
"""Along one axis, of odd length; the middle one is the voxel's own."""

IDENTITY: Kernel = (1.0,)


def centred(weights: Sequence[float]) -> Kernel:
    """A kernel of any length: of an even number, the first of the second half is the voxel's own."""
    return (*map(float, weights), 0.0) if len(weights) % 2 == 0 else tuple(map(float, weights))


def convolved(image: FloatArray, kernels: Sequence[Kernel], boundary: Boundary) -> FloatArray:
    """The image convolved with a kernel along each of its last axes.

    Parameters
    ----------
    image
        ``(z, y, x)``, float32 or float64.
    kernels
        Along (z, y, x), or along (y, x) in each slice by itself.

    Returns
    -------
    numpy.ndarray
        Same shape and precision.
    """
    from tasks.imaging.kernels.separable import convolve

    every = (*(IDENTITY,) * (3 - len(kernels)), *kernels)
    weights = [kernel[::-1] for kernel in every]
    if boundary == "mirror":
        return convolve(image, weights)
    z, y, x = (len(kernel) // 2 for kernel in every)
    wide = extended(image, [(z, z), (y, y), (x, x)], boundary)
    _, height, width = image.shape
    found = convolve(wide, weights, slices=(z, z + len(image)))
    return np.ascontiguousarray(found[:, y : y + height, x : x + width])
