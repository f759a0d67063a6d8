"""Gaussian smoothing.

Linear and separable; its width is given in mm, so that images of different spacing are smoothed alike.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tasks.imaging import gaussian_weights
from tasks.imaging.step import Array, Index, Spacing, Step, View, per_channel


def gaussian(array: Array, *, spacing_mm: Spacing, sigma_mm: float) -> Array:
    """Smooth with a Gaussian; the border is mirrored (``d c b a | a b c d``).

    Parameters
    ----------
    array
        ``(y, x)`` or ``(z, y, x)``, perhaps with colour last: then each channel.
    spacing_mm
        Along the spatial axes, in mm.
    sigma_mm
        Standard deviation in mm. The kernel ends 4 of them from its centre.

    Returns
    -------
    numpy.ndarray
        float32, or float64 of float64.
    """
    from tasks.imaging.kernels.separable import convolve

    weights = [gaussian_weights.weights(sigma_mm / s) for s in spacing_mm]
    return per_channel(lambda grey: convolve(grey, weights), array, len(spacing_mm))


class Settings(Step):
    """Gaussian smoothing of ``sigma_mm``."""

    name: Literal["gaussian"] = "gaussian"
    sigma_mm: float = Field(default=1.0, gt=0, le=50, description="Standard deviation in mm.")

    def halo(self, spacing_mm: Spacing) -> Index:
        """Where the kernel ends."""
        return gaussian_weights.halo(self.sigma_mm, spacing_mm)

    def apply(self, block: Array, view: View) -> Array:
        """Smooth the block."""
        return gaussian(block, spacing_mm=view.spacing_mm, sigma_mm=self.sigma_mm)
