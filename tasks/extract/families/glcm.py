"""Co-occurrence of levels (GLCM): the 25 features of the IBSI, section 3.6 (arXiv:1612.07003).

The matrix counts pairs of voxels that lie one step apart along a direction, each in both orders; both voxels belong to
the intensity mask. A *direction* is one of the 13 to a voxel's 26 neighbours (4 in a slice) of which none is the
opposite of another; ``distance`` is how many such steps one goes. (pyradiomics takes every voxel at that Chebyshev
distance, of which there are more from 2 on.)

Of the symmetric matrix p with marginal p_i, the entropies of the standard's two measures of information correlation are
``HXY1 = HXY2 = 2 HX``, so that both follow from the joint and the marginal entropy alone.
"""

from __future__ import annotations

import numpy as np
from pydantic import Field

from storage.volume import FloatArray
from tasks.extract.feature import FeatureInfo
from tasks.extract.region import Region
from tasks.extract.texture.aggregation import AGGREGATIONS, Aggregation, OfDirections, averaged, infos
from tasks.extract.texture.counts import Counts
from tasks.extract.texture.scan import Scan, scan
from tasks.settings import StageSettings

KNOWN = {
    "joint_maximum": ("GYBY", "cm_joint_max", "Share of the most frequent pair of levels"),
    "joint_average": ("60VM", "cm_joint_avg", "Mean level of the pairs"),
    "joint_variance": ("UR99", "cm_joint_var", "Variance of the level in the pairs"),
    "joint_entropy": ("TU9B", "cm_joint_entr", "Shannon entropy of the pairs, in bits"),
    "difference_average": ("TF7R", "cm_diff_avg", "Mean difference within the pairs"),
    "difference_variance": ("D3YU", "cm_diff_var", "Variance of the difference within the pairs"),
    "difference_entropy": ("NTRS", "cm_diff_entr", "Shannon entropy of the difference within the pairs, in bits"),
    "sum_average": ("ZGXS", "cm_sum_avg", "Mean sum of the pairs"),
    "sum_variance": ("OEEB", "cm_sum_var", "Variance of the sum of the pairs"),
    "sum_entropy": ("P6QZ", "cm_sum_entr", "Shannon entropy of the sum of the pairs, in bits"),
    "angular_second_moment": ("8ZQL", "cm_energy", "Sum of the squared shares of the pairs"),
    "contrast": ("ACUI", "cm_contrast", "Mean squared difference within the pairs"),
    "dissimilarity": ("8S9J", "cm_dissimilarity", "Mean difference within the pairs, the same as difference average"),
    "inverse_difference": ("IB1Z", "cm_inv_diff", "Mean of 1 / (1 + difference)"),
    "normalised_inverse_difference": (
        "NDRX",
        "cm_inv_diff_norm",
        "Mean of 1 / (1 + difference / number of levels)",
    ),
    "inverse_difference_moment": ("WF0Z", "cm_inv_diff_mom", "Mean of 1 / (1 + difference²)"),
    "normalised_inverse_difference_moment": (
        "1QCO",
        "cm_inv_diff_mom_norm",
        "Mean of 1 / (1 + (difference / number of levels)²)",
    ),
    "inverse_variance": ("E8JP", "cm_inv_var", "Mean of 1 / difference², of equal levels 0"),
    "correlation": ("NI2N", "cm_corr", "Correlation of the two levels of the pairs"),
    "autocorrelation": ("QWB0", "cm_auto_corr", "Mean product of the two levels of the pairs"),
    "cluster_tendency": ("DG8W", "cm_clust_tend", "Variance of the sum of the pairs, the same as sum variance"),
    "cluster_shade": ("7NFM", "cm_clust_shade", "Third central moment of the sum of the pairs"),
    "cluster_prominence": ("AE86", "cm_clust_prom", "Fourth central moment of the sum of the pairs"),
    "information_correlation_1": (
        "R8DG",
        "cm_info_corr1",
        "Joint entropy less twice the entropy of the level, over the latter; 0 where the two levels are independent",
    ),
    "information_correlation_2": (
        "JN9H",
        "cm_info_corr2",
        "Root of 1 - exp(-2 m), where m is the mutual information of the two levels in bits",
    ),
}
NO_PAIR = "no two voxels lie that far apart along a direction"
ONE_LEVEL = f"{NO_PAIR}, or those that do are all of one level"
UNDEFINED = dict.fromkeys(KNOWN, NO_PAIR) | dict.fromkeys(("correlation", "information_correlation_1"), ONE_LEVEL)
MANY_CELLS = 1 << 16
"""Matrices of so many cells are always counted as a whole; larger ones if there are not much fewer pairs to sort."""


class Settings(StageSettings):
    """What is counted.

    Attributes
    ----------
    aggregations
        How slices and directions come together, by the names of the standard's tables.
    distance
        Steps between the voxels of a pair, along each direction.
    """

    aggregations: OfDirections = ("3D_comb",)
    distance: int = Field(1, ge=1, le=100)


def features(settings: Settings) -> dict[str, FeatureInfo]:
    """All features under each aggregation."""
    return infos(KNOWN, settings.aggregations, UNDEFINED)


def compute(region: Region, settings: Settings) -> dict[str, float]:
    """Co-occurrence features, by the names of `features`."""
    voxels = scan(region, settings.distance)
    found: dict[str, float] = {}
    for name in settings.aggregations:
        pairs = co_occurrence(voxels, AGGREGATIONS[name], settings.distance)
        found |= averaged(pair_features(pairs, voxels.count), name)
    return found


def co_occurrence(voxels: Scan, aggregation: Aggregation, distance: int) -> Counts:
    """Pairs of levels by matrix, each pair once, the lower level first (the row)."""
    from tasks.extract.kernels.pairs import count_pairs, list_pairs

    offsets = voxels.directions(planar=aggregation.planar, distance=distance)
    slices = len(voxels.slice_ends) if aggregation.by_slice else 1
    directions, size = len(offsets) if aggregation.by_direction else 1, voxels.count + 1
    seen = voxels.levels, voxels.positions, voxels.slice_ends, offsets
    if slices * directions * size**2 > max(MANY_CELLS, 2 * len(voxels.positions) * len(offsets)):
        cells, count = np.unique(list_pairs(*seen, slices, directions, size), return_counts=True)
        return Counts.of_cells(cells, count, (size, size))
    counts = np.zeros((slices, directions, size, size), dtype=np.int32)
    count_pairs(*seen, counts)
    counts[..., 0] = 0  # pairs with a voxel outside
    folded = np.triu(counts) + np.triu(counts.swapaxes(-1, -2), 1)
    return Counts.of_matrices(folded)


def pair_features(pairs: Counts, levels: int) -> dict[str, FloatArray]:
    """The features of each matrix, by the names in ``KNOWN``."""
    share = pairs.count / pairs.totals[pairs.matrix]
    # A pair of different levels fills two cells of the symmetric matrix, each by half.
    cell = np.where(pairs.row == pairs.column, share, share / 2)
    marginal = pairs.gathered(pairs.row, share / 2, levels + 1) + pairs.gathered(pairs.column, share / 2, levels + 1)
    mean, variance, _, _ = _moments(marginal)
    entropy, joint_entropy = _entropy(marginal), -pairs.sums(share * np.log2(cell))
    information = np.maximum(2 * entropy - joint_entropy, 0.0)  # rounding may leave -1e-16
    product = pairs.sums(share * (pairs.row * pairs.column))
    differences = _of_differences(pairs.gathered(pairs.column - pairs.row, share, levels), levels)
    sums = pairs.gathered(pairs.row + pairs.column, share, 2 * levels + 1)
    sum_mean, sum_variance, shade, prominence = _moments(sums)
    found = {
        "joint_maximum": np.maximum.reduceat(cell, pairs.starts),
        "joint_average": mean,
        "joint_variance": variance,
        "joint_entropy": joint_entropy,
        "sum_average": sum_mean,
        "sum_variance": sum_variance,
        "sum_entropy": _entropy(sums),
        "angular_second_moment": pairs.sums(share * cell),
        **differences,
        "correlation": _over(product - mean**2, variance),
        "autocorrelation": product,
        "cluster_tendency": sum_variance,
        "cluster_shade": shade,
        "cluster_prominence": prominence,
        "information_correlation_1": _over(-information, entropy),
        "information_correlation_2": np.sqrt(1 - np.exp(-2 * information)),
    }
    return {name: found[name] for name in KNOWN}


def _of_differences(share: FloatArray, levels: int) -> dict[str, FloatArray]:
    """What depends on the distribution of the differences alone."""
    difference = np.arange(levels, dtype=np.float64)
    mean, variance, _, _ = _moments(share)
    relative = difference / levels
    return {
        "difference_average": mean,
        "difference_variance": variance,
        "difference_entropy": _entropy(share),
        "contrast": share @ difference**2,
        "dissimilarity": mean,
        "inverse_difference": share @ (1 / (1 + difference)),
        "normalised_inverse_difference": share @ (1 / (1 + relative)),
        "inverse_difference_moment": share @ (1 / (1 + difference**2)),
        "normalised_inverse_difference_moment": share @ (1 / (1 + relative**2)),
        "inverse_variance": share[:, 1:] @ (1 / difference[1:] ** 2),
    }


def _moments(share: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Mean and second to fourth central moment of each row's distribution over 0, 1, 2 and so on."""
    value = np.arange(share.shape[1], dtype=np.float64)
    mean = share @ value
    centred = value - mean[:, None]
    second, third, fourth = (np.sum(share * centred**power, axis=1) for power in (2, 3, 4))
    return mean, second, third, fourth


def _entropy(share: FloatArray) -> FloatArray:
    return np.asarray(-np.sum(share * np.log2(np.where(share > 0, share, 1.0)), axis=1))


def _over(top: FloatArray, bottom: FloatArray) -> FloatArray:
    """A ratio; NaN where all pairs are of one level, so that the denominator is 0."""
    return np.divide(top, bottom, out=np.full_like(top, np.nan), where=bottom > 1e-12)
