"""The image that has the magnitudes of the spectrum, and phase 0 everywhere.

It is symmetric about its centre and holds how much there is of each frequency and direction, but not where: nothing of
the picture is recognized (Oppenheim & Lim, "The importance of phase in signals", doi:10.1109/PROC.1981.12022). Its
counterpart is ``phase_only``.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from tasks.imaging.step import Array, Step, View, floating, per_channel
from tasks.threads import thread_budget


def amplitude_only(array: Array, *, axes: int) -> Array:
    """Reconstruct from the magnitudes of the spectrum.

    Parameters
    ----------
    array
        ``(y, x)`` or ``(z, y, x)``, perhaps with colour last: each colour for itself.
    axes
        How many of the axes are spatial.

    Returns
    -------
    numpy.ndarray
        float32, or float64 of float64: the mean (its size) and the energy of the image, its peak at the voxel
        ``n // 2`` of each axis.
    """
    from scipy import fft

    def one(grey: Array) -> Array:
        image = np.ascontiguousarray(floating(grey))
        magnitude = np.abs(fft.rfftn(image, workers=thread_budget()))
        return np.asarray(fft.fftshift(fft.irfftn(magnitude, s=grey.shape, workers=thread_budget())))

    return per_channel(one, array, axes)


class Settings(Step):
    """The magnitudes with phase 0; the whole image is needed."""

    whole = True
    name: Literal["amplitude_only"] = "amplitude_only"

    def unit_after(self, unit: str) -> str:
        """No unit: the values lie at no place of the patient."""
        del unit
        return "arbitrary"

    def apply(self, block: Array, view: View) -> Array:
        """Reconstruct the image."""
        return amplitude_only(block, axes=len(view.spacing_mm))
