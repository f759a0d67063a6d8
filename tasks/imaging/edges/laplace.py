"""The Laplacian: how much a voxel lies below its neighbours; negative in bright spots, positive in dark ones.

Second differences along the axes, added, per mm². It magnifies noise; :mod:`~tasks.imaging.edges.log` is its smooth
sister. Of voxels that are cubes of 1 mm it is ``scipy.ndimage.laplace``.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from tasks.imaging.step import Array, Index, Spacing, Step, View, floating, per_channel


def laplace(array: Array, *, spacing_mm: Spacing) -> Array:
    """The sum of second derivatives; the border is mirrored.

    Parameters
    ----------
    array
        ``(y, x)`` or ``(z, y, x)``, perhaps with colour last: then of each channel.
    spacing_mm
        Along the spatial axes, in mm.

    Returns
    -------
    numpy.ndarray
        float32, or float64 of float64; intensity per mm².
    """
    return per_channel(lambda grey: _bend(grey, spacing_mm), array, len(spacing_mm))


def _bend(grey: Array, spacing_mm: Spacing) -> Array:
    from tasks.imaging.kernels.separable import UNTOUCHED, convolve

    total = np.zeros(grey.shape, dtype=floating(grey[:0]).dtype)
    for axis, s in enumerate(spacing_mm):
        along = (s**-2, -2 * s**-2, s**-2)
        total += convolve(grey, [along if other == axis else UNTOUCHED for other in range(grey.ndim)])
    return total


class Settings(Step):
    """The Laplacian."""

    name: Literal["laplace"] = "laplace"

    def halo(self, spacing_mm: Spacing) -> Index:
        """The neighbours."""
        return (1,) * len(spacing_mm)

    def apply(self, block: Array, view: View) -> Array:
        """The block's Laplacian."""
        return laplace(block, spacing_mm=view.spacing_mm)

    def unit_after(self, unit: str) -> str:
        """Intensity per mm² has no name here."""
        del unit
        return "arbitrary"
