"""Spatial autocorrelation of the intensities: Moran's I and Geary's C (IBSI, arXiv:1612.07003, section 3.1).

Both are sums over all pairs of voxels of the intensity mask, weighted by the inverse of the distance of their centres::

    I =    n    / sum(w) * sum(w y_i y_j)         / sum(y_i²)      y: intensity less the mean
    C = (n - 1) / sum(w) * sum(w (y_i - y_j)²) / 2 / sum(y_i²)

The weight depends only on the displacement, so that ``sum(w a_i b_j)`` is the sum over all displacements of the weight
times the cross-correlation of ``a`` and ``b``, images that are 0 outside the mask. By the theorems of correlation and
of Parseval this is the sum over all frequencies of the product of their transforms (Bracewell 2000, The Fourier
Transform and Its Applications, chapter 6), on a grid where no displacement wraps onto another: exact, not an
approximation, and n log n instead of n². As the weights are even along each axis, so is their transform, a cosine
transform of one octant; and a displacement of +d may share its place with -d, since both have the same weight.

It needs about 200 bytes for each voxel of the region's box: 400 MB for a ball of 12 cm in voxels of 1 mm.
"""

from __future__ import annotations

import numpy as np

from storage.volume import FloatArray, Triple
from tasks.extract.feature import FeatureInfo
from tasks.extract.region import Region
from tasks.settings import StageSettings

ALL_EQUAL = "all intensities are equal"
FEATURES = {
    "moran_i": FeatureInfo(
        "N365",
        "1",
        "Correlation of near voxels: 0 is random, 1 is smooth, below 0 alternates.",
        "morph_moran_i",
        ALL_EQUAL,
    ),
    "geary_c": FeatureInfo(
        "NPT7", "1", "Difference of near voxels: 1 is random, 0 is smooth.", "morph_geary_c", ALL_EQUAL
    ),
}


class Settings(StageSettings):
    """No options: the standard leaves none."""


def compute(region: Region, settings: Settings) -> dict[str, float]:  # noqa: ARG001 - all families are called alike
    """Autocorrelation of the region's intensities, by the names of ``FEATURES``."""
    from scipy.fft import rfftn

    from tasks.extract.kernels.spectra import weighted_sum

    core = region.core
    values = core.values
    if values.min() == values.max():
        return dict.fromkeys(FEATURES, float("nan"))
    weights = _spectrum_of_weights(core.mask.shape, core.spacing_mm)
    sides = tuple(2 * (n - 1) for n in weights.shape)
    centred = np.where(core.counted, core.image - values.mean(), 0.0)
    squared = centred * centred
    pairs = rfftn(core.counted.astype(np.float64), sides)
    total, spread = weighted_sum(weights, pairs, pairs), weighted_sum(weights, pairs, rfftn(squared, sides))
    del pairs  # a transform is eight times as large as the region
    products = rfftn(centred, sides)
    correlated = weighted_sum(weights, products, products)
    variation = float(squared.sum())
    return {
        "moran_i": values.size / total * correlated / variation,
        # The sum of w (y_i - y_j)² is twice that of w y_i² less twice that of w y_i y_j.
        "geary_c": (values.size - 1) / total * (spread - correlated) / variation,
    }


def _spectrum_of_weights(shape: tuple[int, ...], spacing_mm: Triple) -> FloatArray:
    """Transform of the inverse distances (0 at none): the octant of frequencies from 0 to half a period."""
    from scipy.fft import dctn, next_fast_len

    halves = [next_fast_len(max(n - 1, 1), real=True) + 1 for n in shape]
    z, y, x = (((np.arange(n) * s) ** 2) for n, s in zip(halves, spacing_mm, strict=True))
    squared = z[:, None, None] + y[:, None] + x
    squared[0, 0, 0] = np.inf
    return np.asarray(dctn(1 / np.sqrt(squared), type=1))
