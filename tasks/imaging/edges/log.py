"""The Laplacian of a Gaussian: spots and edges of a certain size.

Negative in bright spots, positive in dark ones, and 0 at edges (Marr and Hildreth, doi:10.1098/rspb.1980.0020).
Multiplied by ``sigma_mm²`` it can be compared between scales, and is in the image's own unit: a ball answers most where
sigma is its radius over the square root of the number of axes (Lindeberg, doi:10.1023/A:1008045108935).
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from tasks.imaging import gaussian_weights
from tasks.imaging.step import Array, Index, Spacing, Step, View, floating, per_channel


def log(array: Array, *, spacing_mm: Spacing, sigma_mm: float) -> Array:
    """The Laplacian of the smoothed image, times ``sigma_mm²``; the border is mirrored.

    Parameters
    ----------
    array
        ``(y, x)`` or ``(z, y, x)``, perhaps with colour last: then of each channel.
    spacing_mm
        Along the spatial axes, in mm.
    sigma_mm
        Standard deviation of the Gaussian.

    Returns
    -------
    numpy.ndarray
        float32, or float64 of float64. Of voxels that are cubes, ``scipy.ndimage.gaussian_laplace`` times the square of
        sigma, to some tenths of a percent.
    """
    return per_channel(lambda grey: _bend(grey, spacing_mm, sigma_mm), array, len(spacing_mm))


def _bend(grey: Array, spacing_mm: Spacing, sigma_mm: float) -> Array:
    from tasks.imaging.kernels.separable import convolve

    total = np.zeros(grey.shape, dtype=floating(grey[:0]).dtype)
    for axis in range(grey.ndim):
        weights = [
            gaussian_weights.weights(sigma_mm / s, order=2 * int(other == axis)) for other, s in enumerate(spacing_mm)
        ]
        bend = convolve(grey, weights)
        bend *= (sigma_mm / spacing_mm[axis]) ** 2
        total += bend
    return total


class Settings(Step):
    """The Laplacian of a Gaussian of ``sigma_mm``, comparable between scales."""

    name: Literal["log"] = "log"
    sigma_mm: float = Field(default=2.0, gt=0, le=50, description="Standard deviation in mm.")

    def halo(self, spacing_mm: Spacing) -> Index:
        """Where the kernel ends."""
        return gaussian_weights.halo(self.sigma_mm, spacing_mm, order=2)

    def apply(self, block: Array, view: View) -> Array:
        """The block's spots."""
        return log(block, spacing_mm=view.spacing_mm, sigma_mm=self.sigma_mm)

    def unit_after(self, unit: str) -> str:
        """No longer a measurement of tissue."""
        del unit
        return "arbitrary"
