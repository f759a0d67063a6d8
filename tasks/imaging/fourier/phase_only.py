"""The image that has the phases of the spectrum, and one magnitude for all frequencies.

Edges and places survive in the phase: what is seen is close to the image's outlines (Oppenheim & Lim, "The importance
of phase in signals", doi:10.1109/PROC.1981.12022). Its counterpart is ``amplitude_only``. Every frequency counts the
same, noise with it.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from tasks.imaging.step import Array, Step, View, floating, per_channel
from tasks.threads import thread_budget


def phase_only(array: Array, *, axes: int) -> Array:
    """Reconstruct from the phases of the spectrum.

    Parameters
    ----------
    array
        ``(y, x)`` or ``(z, y, x)``, perhaps with colour last: each colour for itself.
    axes
        How many of the axes are spatial.

    Returns
    -------
    numpy.ndarray
        float32, or float64 of float64, with the energy of the image without its mean. Frequencies of no more than
        rounding have no phase and stay 0; so does a constant image.
    """
    from scipy import fft

    def one(grey: Array) -> Array:
        image = np.ascontiguousarray(floating(grey))
        image = image - image.mean()
        magnitude = np.sqrt(np.vdot(image, image) / image.size)
        spectrum = np.asarray(fft.rfftn(image, norm="ortho", workers=thread_budget()))
        size = np.abs(spectrum)
        floor = 16 * np.finfo(image.dtype).eps * max(float(magnitude), float(np.abs(grey).max()))
        np.divide(spectrum * magnitude, size, out=spectrum, where=size > floor)
        spectrum[size <= floor] = 0
        return np.asarray(fft.irfftn(spectrum, s=grey.shape, norm="ortho", workers=thread_budget()))

    return per_channel(one, array, axes)


class Settings(Step):
    """The phases with one magnitude; the whole image is needed."""

    whole = True
    name: Literal["phase_only"] = "phase_only"

    def unit_after(self, unit: str) -> str:
        """No unit: the magnitudes are gone."""
        del unit
        return "arbitrary"

    def apply(self, block: Array, view: View) -> Array:
        """Reconstruct the image."""
        return phase_only(block, axes=len(view.spacing_mm))
