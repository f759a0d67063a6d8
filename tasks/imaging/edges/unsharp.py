"""Unsharp masking: what a Gaussian takes away is added to the image.

Edges become steeper, with a bright and a dark seam at either side, and noise grows. Without clipping it is
``skimage.filters.unsharp_mask``. In colour the luminance is sharpened, by the same amount in all channels, so that no
coloured seams appear.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from tasks.imaging import gaussian_weights
from tasks.imaging.denoise.gaussian import gaussian
from tasks.imaging.luminance import luminance
from tasks.imaging.step import Array, Index, Spacing, Step, View, floating


def unsharp(array: Array, *, spacing_mm: Spacing, radius_mm: float, amount: float) -> Array:
    """``image + amount · (image - smoothed image)``; the border is mirrored.

    Parameters
    ----------
    array
        ``(y, x)`` or ``(z, y, x)``, perhaps with colour last.
    spacing_mm
        Along the spatial axes, in mm.
    radius_mm
        Standard deviation of the Gaussian: the size of what is brought out.
    amount
        1 doubles what is finer than that.

    Returns
    -------
    numpy.ndarray
        float32, or float64 of float64; it may go beyond the image's range.
    """
    values = floating(array)
    grey = luminance(values, len(spacing_mm))
    detail = gaussian(grey, spacing_mm=spacing_mm, sigma_mm=radius_mm)
    np.subtract(grey, detail, out=detail)
    detail *= amount
    return np.asarray(values + detail.reshape(detail.shape + (1,) * (values.ndim - detail.ndim)))


class Settings(Step):
    """What is finer than ``radius_mm`` brought out by ``amount``."""

    name: Literal["unsharp"] = "unsharp"
    radius_mm: float = Field(default=1.5, gt=0, le=50, description="Standard deviation of the Gaussian.")
    amount: float = Field(default=1.0, gt=0, le=10, description="1 doubles what is finer.")

    def halo(self, spacing_mm: Spacing) -> Index:
        """Where the kernel ends."""
        return gaussian_weights.halo(self.radius_mm, spacing_mm)

    def apply(self, block: Array, view: View) -> Array:
        """Sharpen the block."""
        return unsharp(block, spacing_mm=view.spacing_mm, radius_mm=self.radius_mm, amount=self.amount)
