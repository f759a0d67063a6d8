"""Edges by Sobel's operator: the length of the gradient, in intensity per mm.

Along one axis the difference of the two neighbours is taken, along the others three voxels are averaged with weights
1, 2, 1 (Sobel and Feldman 1968; in 3-D as in scikit-image). Of voxels that are cubes of 1 mm it is scikit-image's
``sobel`` times half the square root of the number of axes: here an even ramp gives its slope.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from tasks.imaging.luminance import by_luminance
from tasks.imaging.step import Array, Index, Spacing, Step, View, floating

ACROSS = (0.25, 0.5, 0.25)


def sobel(array: Array, *, spacing_mm: Spacing) -> Array:
    """The length of the gradient; the border is mirrored.

    Parameters
    ----------
    array
        ``(y, x)`` or ``(z, y, x)``. In colour (last), that of the luminance, in every channel.
    spacing_mm
        Along the spatial axes, in mm.

    Returns
    -------
    numpy.ndarray
        float32, or float64 of float64; intensity per mm.
    """
    return by_luminance(lambda grey: _length(grey, spacing_mm), array, len(spacing_mm))


def _length(grey: Array, spacing_mm: Spacing) -> Array:
    from tasks.imaging.kernels.separable import convolve

    total = np.zeros(grey.shape, dtype=floating(grey[:0]).dtype)
    for axis, s in enumerate(spacing_mm):
        along = (-0.5 / s, 0.0, 0.5 / s)
        slope = convolve(grey, [along if other == axis else ACROSS for other in range(grey.ndim)])
        total += np.square(slope, out=slope)
    return np.sqrt(total, out=total)


class Settings(Step):
    """The length of the gradient, by Sobel's operator."""

    name: Literal["sobel"] = "sobel"

    def halo(self, spacing_mm: Spacing) -> Index:
        """The neighbours."""
        return (1,) * len(spacing_mm)

    def apply(self, block: Array, view: View) -> Array:
        """The block's gradient."""
        return sobel(block, spacing_mm=view.spacing_mm)

    def unit_after(self, unit: str) -> str:
        """Intensity per mm has no name here."""
        del unit
        return "arbitrary"
