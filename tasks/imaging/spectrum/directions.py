"""How the power of a region's slices is spread over the directions in the slice."""

from __future__ import annotations

import numpy as np

from tasks.imaging.spectrum.features import mean_power
from tasks.imaging.spectrum.transform import Floats, half_frequencies_per_mm
from tasks.imaging.step import Array, Spacing

SLOWEST = 1.5
"""Waves of fewer periods over the region's side have no direction: the taper spreads them over all."""


def direction_shares(region: Array, *, spacing_mm: Spacing, sectors: int) -> Floats:
    """Share of the power in each sector of directions.

    Parameters
    ----------
    region
        ``(z, y, x)``.
    spacing_mm
        Along its axes, in mm.
    sectors
        Of the half circle. The first is centred on waves that run along x, the next ones turn towards y.

    Returns
    -------
    numpy.ndarray
        One number per sector, of sum 1; all 0 where there is no power.
    """
    power = mean_power(region)
    total = float(power.sum())
    height, width = region.shape[1:]
    fy, fx = half_frequencies_per_mm((height, width), spacing_mm[-2:])
    periods = np.hypot(fy[:, None] * height * spacing_mm[-2], fx * width * spacing_mm[-1])
    # What lies between two sectors, as diagonals may, always belongs to the next one.
    sector = np.floor(np.arctan2(fy[:, None], fx) / np.pi * sectors + (0.5 + 1e-9)).astype(int) % sectors
    power = np.where((periods >= SLOWEST) & (power > 1e-12 * total), power, 0.0)
    shares = np.bincount(sector.ravel(), power.ravel(), minlength=sectors)
    used = float(shares.sum())
    return shares / used if total > 1e-12 * power.size and used else np.zeros(sectors)
