"""Bilateral smoothing: the mean of neighbours that are near and of like intensity.

Within a tissue it is a Gaussian; across an edge much higher than the noise nothing is mixed (Tomasi and Manduchi,
doi:10.1109/ICCV.1998.710815). In colour, likeness is that of the luminance, for all channels alike: no colour appears
that was not there.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from tasks.imaging.luminance import luminance
from tasks.imaging.noise import noise_level
from tasks.imaging.step import Array, Blocks, Facts, Index, Spacing, Step, View, floating, per_channel

TRUNCATE = 2.5
"""Neighbours count within so many spatial standard deviations."""
TIMES_NOISE = 2.0
"""Width of the Gaussian of intensities in standard deviations of the noise: two noisy voxels of one tissue differ by
1.4 of them on average."""


def bilateral(array: Array, *, spacing_mm: Spacing, sigma_mm: float, sigma_intensity: float) -> Array:
    """Smooth, but not across edges; the border is mirrored.

    Parameters
    ----------
    array
        ``(y, x)`` or ``(z, y, x)``, perhaps with colour last.
    spacing_mm
        Along the spatial axes, in mm.
    sigma_mm
        Standard deviation of the Gaussian of distances.
    sigma_intensity
        Standard deviation of the Gaussian of differences, in the image's unit; of 0 nothing is changed.

    Returns
    -------
    numpy.ndarray
        float32, or float64 of float64.
    """
    if sigma_intensity <= 0:
        return floating(array)
    from tasks.imaging.kernels.likeness import bilateral_means

    values, near = floating(array), _near(sigma_mm, spacing_mm)
    guide = luminance(values, len(spacing_mm))
    return per_channel(lambda grey: bilateral_means(grey, guide, near, sigma_intensity), values, len(spacing_mm))


def _reach(sigma_mm: float, spacing_mm: Spacing) -> Index:
    return tuple(int(TRUNCATE * sigma_mm / s) for s in spacing_mm)


def _near(sigma_mm: float, spacing_mm: Spacing) -> Array:
    """Weights by distance in ``(z, y, x)``, 0 outside a ball."""
    sides = [s * np.arange(-n, n + 1) for n, s in zip(_reach(sigma_mm, spacing_mm), spacing_mm, strict=True)]
    squares = np.asarray(sum(side**2 for side in np.meshgrid(*sides, indexing="ij")))
    weights = np.where(squares <= (TRUNCATE * sigma_mm) ** 2, np.exp(-squares / (2 * sigma_mm**2)), 0.0)
    return weights.reshape((1,) * (3 - weights.ndim) + weights.shape)


class Settings(Step):
    """Bilateral smoothing; without ``sigma_intensity`` of twice the noise that is measured in the image."""

    name: Literal["bilateral"] = "bilateral"
    sigma_mm: float = Field(default=1.5, gt=0, le=20, description="Of the Gaussian of distances.")
    sigma_intensity: float | None = Field(default=None, gt=0, description="Of the Gaussian of differences.")

    def halo(self, spacing_mm: Spacing) -> Index:
        """Where the ball of neighbours ends."""
        return _reach(self.sigma_mm, spacing_mm)

    def measure(self, blocks: Blocks, view: View) -> Facts:
        """The width in intensity."""
        return {"sigma_intensity": self.sigma_intensity or TIMES_NOISE * noise_level(blocks, view)}

    def apply(self, block: Array, view: View) -> Array:
        """Smooth the block."""
        width = view.measured["sigma_intensity"]
        return bilateral(block, spacing_mm=view.spacing_mm, sigma_mm=self.sigma_mm, sigma_intensity=width)
