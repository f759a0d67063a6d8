"""Gaussian smoothing.

Linear and separable; its width is given in mm, so that images of different spacing are smoothed alike.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from tasks.imaging.step import Array, Index, Spacing, Step, View, floating, per_channel

TRUNCATE = 4.0
"""The kernel ends so many standard deviations from its centre, as scipy has it."""


def gaussian(array: Array, *, spacing_mm: Spacing, sigma_mm: float) -> Array:
    """Smooth with a Gaussian; the border is mirrored (``d c b a | a b c d``).

    Parameters
    ----------
    array
        ``(y, x)`` or ``(z, y, x)``, perhaps with colour last.
    spacing_mm
        Along the spatial axes, in mm.
    sigma_mm
        Standard deviation in mm.

    Returns
    -------
    numpy.ndarray
        float32, or float64 of float64.
    """
    from scipy import ndimage

    sigma = [sigma_mm / s for s in spacing_mm]
    return per_channel(
        lambda grey: np.asarray(ndimage.gaussian_filter(floating(grey), sigma, mode="reflect", truncate=TRUNCATE)),
        array,
        len(spacing_mm),
    )


class Settings(Step):
    """Gaussian smoothing of ``sigma_mm``."""

    name: Literal["gaussian"] = "gaussian"
    sigma_mm: float = Field(default=1.0, gt=0, le=50, description="Standard deviation in mm.")

    def halo(self, spacing_mm: Spacing) -> Index:
        """Where the kernel ends."""
        return tuple(int(TRUNCATE * self.sigma_mm / s + 0.5) for s in spacing_mm)

    def apply(self, block: Array, view: View) -> Array:
        """Smooth the block."""
        return gaussian(block, spacing_mm=view.spacing_mm, sigma_mm=self.sigma_mm)
