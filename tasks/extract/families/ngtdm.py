"""Differences from the tone of the neighbourhood (NGTDM): the 5 features of the IBSI, section 3.10 (arXiv:1612.07003).

Of each level i the matrix holds how many voxels have it and at least one neighbour (n_i, as a share p_i), and the sum
s_i of the differences of i from the mean level of each voxel's neighbours inside the region. Voxels without a neighbour
do not count; pyradiomics counts them.

As the standard has it, coarseness is at most 10^6; contrast and busyness of a single level are 0, and strength is 0
where no voxel differs from its neighbourhood.

References
----------
Amadasun and King 1989, doi:10.1109/21.44046
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from storage.volume import FloatArray
from tasks.extract.feature import FeatureInfo
from tasks.extract.region import Region
from tasks.extract.texture.aggregation import AGGREGATIONS, Aggregation, OfNeighbourhoods, averaged, infos
from tasks.extract.texture.scan import scan
from tasks.settings import StageSettings

KNOWN = {
    "coarseness": (
        "QCDE",
        "ngt_coarseness",
        "1 / sum of p_i s_i: large where neighbourhoods are uniform, at most 10^6",
    ),
    "contrast": ("65HE", "ngt_contrast", "Spread of the levels times the mean difference from the neighbourhood"),
    "busyness": (
        "NQ30",
        "ngt_busyness",
        "Sum of p_i s_i over the sum of |i p_i - j p_j|: large where neighbouring voxels change quickly",
    ),
    "complexity": ("HDEZ", "ngt_complexity", "Sum of |i - j| (p_i s_i + p_j s_j) / (p_i + p_j) over voxels"),
    "strength": ("1X9X", "ngt_strength", "Sum of (p_i + p_j) (i - j)² over the sum of s_i"),
}
ALONE = "no voxel has a neighbour"
UNDEFINED = dict.fromkeys(KNOWN, ALONE) | {
    "busyness": f"{ALONE}, or level times number of voxels is the same for all levels"
}
MOST_COARSE = 1e6


class Settings(StageSettings):
    """What is counted.

    Attributes
    ----------
    aggregations
        In slices or in the volume, by the names of the standard's tables.
    """

    aggregations: OfNeighbourhoods = ("3D",)


def features(settings: Settings) -> dict[str, FeatureInfo]:
    """All features under each aggregation."""
    return infos(KNOWN, settings.aggregations, UNDEFINED)


def compute(region: Region, settings: Settings) -> dict[str, float]:
    """Features of the tone differences, by the names of `features`."""
    found: dict[str, float] = {}
    for name in settings.aggregations:
        differences, counts = tone_differences(region, AGGREGATIONS[name])
        found |= averaged(tone_features(differences, counts), name)
    return found


def tone_differences(region: Region, aggregation: Aggregation) -> tuple[FloatArray, npt.NDArray[np.int64]]:
    """The matrices' columns s and n, ``(matrices, levels + 1)``; matrices may be empty."""
    from tasks.extract.kernels.neighbours import add_tone_differences

    voxels = scan(region)
    offsets = voxels.neighbours(planar=aggregation.planar)
    shape = len(voxels.slice_ends) if aggregation.by_slice else 1, voxels.count + 1
    differences, counts = np.zeros(shape), np.zeros(shape, dtype=np.int64)
    add_tone_differences(voxels.levels, voxels.positions, voxels.slice_ends, offsets, differences, counts)
    return differences, counts


def tone_features(differences: FloatArray, counts: npt.NDArray[np.int64]) -> dict[str, FloatArray]:
    """The features of each matrix that is not empty, by the names in ``KNOWN``."""
    from tasks.extract.kernels.neighbours import complexities

    filled = counts.any(axis=1)
    s, n = differences[filled], counts[filled]
    voxels, levels, total = n.sum(axis=1), np.count_nonzero(n, axis=1), s.sum(axis=1)
    p, i = n / voxels[:, None], np.arange(n.shape[1])
    weighted = np.sum(p * s, axis=1)
    centred = i - (p @ i)[:, None]
    variance = np.sum(p * centred**2, axis=1)
    # Sums over pairs of levels follow from sums over levels: of p_i p_j (i - j)² and of (p_i + p_j) (i - j)².
    spread = 2 * variance / np.maximum(levels * (levels - 1), 1)
    pull = 2 * (levels * variance + np.sum(np.where(n > 0, centred, 0.0) ** 2, axis=1))
    busy = np.divide(weighted * voxels, _pair_differences(i * n), out=np.full_like(total, np.nan), where=levels > 1)
    return {
        "coarseness": 1 / np.maximum(weighted, 1 / MOST_COARSE),
        "contrast": spread * total / voxels,
        "busyness": np.where(levels > 1, busy, 0.0),
        "complexity": complexities(p, s) / voxels,
        "strength": np.divide(pull, total, out=np.zeros_like(total), where=total > 0),
    }


def _pair_differences(x: npt.NDArray[np.int64]) -> FloatArray:
    """Sum of ``|x_i - x_j|`` over all pairs of positive numbers in a row; NaN where it is 0."""
    ordered = np.sort(x, axis=1)
    present = np.count_nonzero(x, axis=1)[:, None]
    # The k-th smallest of m numbers is k times the larger of a pair, and m - 1 - k times the smaller.
    k = np.arange(x.shape[1]) - (x.shape[1] - present)
    sums = 2 * np.sum((2 * k - present + 1) * ordered, axis=1)
    return np.where(sums > 0, sums, np.nan)
