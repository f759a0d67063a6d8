"""Stripes and other periodic noise are taken away: narrow peaks of the spectrum, given or found.

Such noise comes from interference and spikes in MR, from grids and detectors in radiography, from the mains in
ultrasound. A volume is done slice by slice, for it differs from slice to slice; a picture in colour by the peaks of the
mean of its colours. Which peaks, and how they are removed: `tasks.imaging.spectrum.periodic_noise`.

What of the anatomy has the same frequency goes with it. Where nothing stands out, nothing is changed.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from tasks.imaging.spectrum.periodic_noise import Frequency, find_peaks, remove_frequencies
from tasks.imaging.step import Array, Spacing, Step, View, floating, per_channel
from tasks.threads import over_slabs


def notch(
    array: Array,
    *,
    spacing_mm: Spacing,
    frequencies_per_mm: tuple[Frequency, ...] | None = None,
    width_per_mm: float | None = None,
    above_per_mm: float = 0.05,
    threshold: float = 5.0,
    most: int = 16,
) -> Array:
    """Remove narrow bands of frequencies within the slices.

    Parameters
    ----------
    array
        ``(y, x)`` or ``(z, y, x)``, perhaps with colour last.
    spacing_mm
        Along the spatial axes, in mm.
    frequencies_per_mm
        Of the stripes along ``(y, x)``, in cycles/mm; the opposite of each goes as well. ``None``: found in each slice.
    width_per_mm
        Standard deviation of a notch in cycles/mm; ``None``: as narrow as the image can tell, one period over its
        shorter side.
    above_per_mm, threshold, most
        Of the search, see `find_peaks`.

    Returns
    -------
    numpy.ndarray
        float32, or float64 of float64.
    """
    in_plane = spacing_mm[-2:]
    height, width = array.shape[len(spacing_mm) - 2 : len(spacing_mm)]
    narrow = width_per_mm or 1.0 / min(height * in_plane[0], width * in_plane[1])

    def one(picture: Array) -> Array:
        grey = picture if picture.ndim == 2 else picture.mean(axis=-1)
        peaks = frequencies_per_mm
        if peaks is None:
            peaks = tuple(
                find_peaks(grey, spacing_mm=in_plane, above_per_mm=above_per_mm, threshold=threshold, most=most)
            )
        return per_channel(
            lambda colour: remove_frequencies(colour, list(peaks), spacing_mm=in_plane, width_per_mm=narrow), picture, 2
        )

    if len(spacing_mm) == 2:
        return one(array)
    result = np.empty(array.shape, dtype=floating(array[:0]).dtype)

    def slices(start: int, stop: int) -> None:
        for z in range(start, stop):
            result[z] = one(array[z])

    over_slabs(slices, len(array))
    return result


class Settings(Step):
    """Peaks ``frequencies_per_mm``, or those that are found; every slice is needed as a whole."""

    whole = True
    name: Literal["notch"] = "notch"
    frequencies_per_mm: tuple[Frequency, ...] | None = Field(
        default=None, description="(y, x) in cycles/mm; None: found in each slice."
    )
    width_per_mm: float | None = Field(default=None, gt=0, description="Of a notch; None: the narrowest.")
    above_per_mm: float = Field(default=0.05, ge=0, description="Peaks below this frequency are anatomy's own.")
    threshold: float = Field(default=5.0, ge=3, description="Robust standard deviations above the ring.")
    most: int = Field(default=16, ge=1, description="No more peaks than these.")

    def apply(self, block: Array, view: View) -> Array:
        """Remove the peaks."""
        return notch(block, spacing_mm=view.spacing_mm, **self.model_dump(exclude={"name"}))
