"""A region described by its spectrum and by how its slices go on: numbers for a classifier.

Power is that of the slices, tapered (Hann) and without their means, averaged over the slices; *frequency* is its length
within the slice, in cycles/mm, so that the numbers do not depend on how the patient lay. They do depend on resolution:
a band beyond what the spacing can show has no power. Compare regions of one spacing.
"""

from __future__ import annotations

import itertools

import numpy as np

from tasks.imaging.spectrum.cross_slices import BANDS_PER_MM, compare_neighbours
from tasks.imaging.spectrum.transform import Floats, half_frequencies_per_mm
from tasks.imaging.step import Array, Spacing

_TILE_MM = 16.0
"""Regions are small; see `tasks.imaging.spectrum.tiles`."""


def spectral_features(region: Array, *, spacing_mm: Spacing) -> dict[str, float]:
    """Features of a region.

    Parameters
    ----------
    region
        ``(z, y, x)`` or ``(y, x)``: the box around a lesion, with some margin.
    spacing_mm
        Along its axes, in mm.

    Returns
    -------
    dict
        - ``power_LOW_HIGH``: share of the power in each of the ``BANDS_PER_MM``.
        - ``centroid_per_mm``, ``spread_per_mm``: mean and standard deviation of the frequency, weighted by power.
        - ``entropy``: of the distribution of power over the coefficients, 0 (one) to 1 (all alike).
        - ``slope``: of log power over log frequency; about −2 for edges, 0 for noise.
        - ``anisotropy``: 0 where no direction is preferred, 1 where there is one only.
        - of more than one slice, ``coherence_LOW_HIGH``: mean γ² of neighbouring slices, and ``shift_mm``: mean length
          of their shift.

        All are 0 where the region is constant.
    """
    slices = region if region.ndim == 3 else region[None]
    power = mean_power(slices)
    fy, fx = half_frequencies_per_mm(slices.shape[1:], spacing_mm[-2:])
    values = _of_power(power, fy, fx)
    if region.ndim == 3 and len(region) > 1:
        pairs = compare_neighbours(region, spacing_mm=spacing_mm, tile_mm=_TILE_MM)
        mean = np.mean([pair.coherence.values for pair in pairs], axis=0)
        values |= {f"coherence_{name}": float(v) for name, v in zip(_band_names(), mean, strict=True)}
        values["shift_mm"] = float(np.mean([np.hypot(*pair.shift_mm) for pair in pairs]))
    return values


def mean_power(slices: Array) -> Floats:
    """Mean power of the half spectra of slices ``(z, y, x)``, tapered and without their means.

    The columns that stand for their mirror images as well count twice; frequencies are those of
    `half_frequencies_per_mm`.
    """
    from scipy import fft

    height, width = slices.shape[1:]
    fade = np.hanning(height + 2)[1:-1, None] * np.hanning(width + 2)[1:-1]
    power = np.zeros((height, width // 2 + 1))
    for image in slices.astype(np.float64):
        mean = np.average(image, weights=fade)
        power += np.abs(fft.rfft2((image - mean) * fade)) ** 2
    columns = np.arange(width // 2 + 1)
    power *= np.where((columns == 0) | (2 * columns == width), 1.0, 2.0)
    power[0, 0] = 0.0
    return power / len(slices)


def _of_power(power: Floats, fy: Floats, fx: Floats) -> dict[str, float]:
    total = float(power.sum())
    share = power / total if total > 1e-12 * power.size else np.zeros_like(power)
    frequency = np.hypot(fy[:, None], fx)
    band = np.digitize(frequency, BANDS_PER_MM)
    values = {f"power_{name}": float(share[band == b].sum()) for b, name in enumerate(_band_names(), start=1)}
    centroid = float((share * frequency).sum())
    values["centroid_per_mm"] = centroid
    values["spread_per_mm"] = float(np.sqrt((share * (frequency - centroid) ** 2).sum()))
    filled = share[share > 0]
    values["entropy"] = float(-(filled * np.log(filled)).sum() / np.log(max(share.size, 2))) + 0.0
    values["slope"] = _slope(share, frequency)
    yy, xx, yx = ((share * m).sum() for m in (fy[:, None] ** 2, fx**2 + 0 * fy[:, None], fy[:, None] * fx))
    values["anisotropy"] = float(np.hypot(yy - xx, 2 * yx) / (yy + xx)) if yy + xx > 0 else 0.0
    return values


def _slope(power: Floats, frequency: Floats) -> float:
    """Least squares over rings one coefficient wide, so that the many high frequencies do not rule."""
    used = (power > 0) & (frequency > 0)
    if not used.any():
        return 0.0
    ring = np.rint(frequency[used] / frequency[used].min()).astype(int)
    count = np.bincount(ring)
    present = count > 0
    height = np.log(np.bincount(ring, power[used])[present] / count[present])
    place = np.log(np.bincount(ring, frequency[used])[present] / count[present])
    return float(np.polyfit(place, height, 1)[0]) if present.sum() > 2 else 0.0


def _band_names() -> list[str]:
    return [f"{low:g}_{high:g}" for low, high in itertools.pairwise(BANDS_PER_MM)]
