"""Histogram of the levels: the 23 features of the IBSI, section 3.4 (arXiv:1612.07003).

The statistics of the intensities once more, of the levels that they have been put into, and what a histogram has
besides: its mode, its entropy and its steepest rise and fall. The gradient of the histogram is the central difference
of its counts, at both ends the difference to the only neighbour. Levels that do not occur are part of it: it runs from
level 1 to the highest.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tasks.extract.feature import FeatureInfo
from tasks.extract.region import Region
from tasks.extract.statistics import statistics
from tasks.settings import StageSettings

ONE_LEVEL = "there is only one level"
FEATURES = {
    "mean": FeatureInfo("X6K6", "1", "Mean level.", "ih_mean"),
    "variance": FeatureInfo("CH89", "1", "Population variance of the levels.", "ih_var"),
    "skewness": FeatureInfo("88K1", "1", "Third standardized moment of the levels.", "ih_skew"),
    "kurtosis": FeatureInfo("C3I7", "1", "Fourth standardized moment of the levels less 3.", "ih_kurt"),
    "median": FeatureInfo("WIFQ", "1", "Median level.", "ih_median"),
    "minimum": FeatureInfo("1PR8", "1", "Lowest level.", "ih_min"),
    "percentile_10": FeatureInfo("GPMT", "1", "10th percentile of the levels.", "ih_p10"),
    "percentile_90": FeatureInfo("OZ0C", "1", "90th percentile of the levels.", "ih_p90"),
    "maximum": FeatureInfo("3NCY", "1", "Highest level.", "ih_max"),
    "mode": FeatureInfo("AMMC", "1", "Most frequent level; of several the one nearest to the mean.", "ih_mode"),
    "interquartile_range": FeatureInfo("WR0O", "1", "75th less 25th percentile of the levels.", "ih_iqr"),
    "range": FeatureInfo("5Z3W", "1", "Highest less lowest level.", "ih_range"),
    "mean_absolute_deviation": FeatureInfo("D2ZX", "1", "Mean distance of the levels from their mean.", "ih_mad"),
    "robust_mean_absolute_deviation": FeatureInfo(
        "WRZB",
        "1",
        "Mean distance of the levels from their mean between the 10th and 90th percentile.",
        "ih_rmad",
        "no level lies between the two percentiles",
    ),
    "median_absolute_deviation": FeatureInfo("4RNL", "1", "Mean distance of the levels from their median.", "ih_medad"),
    "coefficient_of_variation": FeatureInfo("CWYJ", "1", "Standard deviation over mean of the levels.", "ih_cov"),
    "quartile_coefficient_of_dispersion": FeatureInfo("SLWD", "1", "(P75 - P25) / (P75 + P25).", "ih_qcod"),
    "entropy": FeatureInfo("TLU2", "1", "Shannon entropy of the levels, in bits.", "ih_entropy"),
    "uniformity": FeatureInfo("BJ5W", "1", "Sum of the squared shares of the levels.", "ih_uniformity"),
    "maximum_gradient": FeatureInfo("12CE", "1", "Steepest rise of the histogram.", "ih_max_grad", ONE_LEVEL),
    "maximum_gradient_level": FeatureInfo(
        "8E6O", "1", "Lowest level where it rises most steeply.", "ih_max_grad_g", ONE_LEVEL
    ),
    "minimum_gradient": FeatureInfo("VQB3", "1", "Steepest fall of the histogram.", "ih_min_grad", ONE_LEVEL),
    "minimum_gradient_level": FeatureInfo(
        "RHQZ", "1", "Lowest level where it falls most steeply.", "ih_min_grad_g", ONE_LEVEL
    ),
}


class Settings(StageSettings):
    """No options: discretization belongs to the region."""


def compute(region: Region, settings: Settings) -> dict[str, float]:  # noqa: ARG001 - all families are called alike
    """Features of the histogram of the region's levels, by the names of ``FEATURES``."""
    levels = region.levels
    counts = np.bincount(levels.array.ravel(), minlength=levels.count + 1)[1:]
    of_levels = statistics(np.repeat(np.arange(1.0, counts.size + 1), counts))
    found = {
        **of_levels,
        "mode": _mode(counts, of_levels["mean"]),
        "entropy": _entropy(counts),
        "uniformity": float(((counts / counts.sum()) ** 2).sum()),
        **_gradients(counts),
    }
    return {name: found[name] for name in FEATURES}


def _mode(counts: npt.NDArray[np.int64], mean: float) -> float:
    highest = np.flatnonzero(counts == counts.max()) + 1
    return float(highest[np.abs(highest - mean).argmin()])


def _entropy(counts: npt.NDArray[np.int64]) -> float:
    shares = counts[counts > 0] / counts.sum()
    # The sum is -0.0 where there is one level.
    return abs(float((shares * np.log2(shares)).sum()))


def _gradients(counts: npt.NDArray[np.int64]) -> dict[str, float]:
    names = ("maximum_gradient", "maximum_gradient_level", "minimum_gradient", "minimum_gradient_level")
    if counts.size < 2:
        return dict.fromkeys(names, float("nan"))
    gradient = np.gradient(counts.astype(np.float64))
    steepest = (gradient.max(), gradient.argmax() + 1, gradient.min(), gradient.argmin() + 1)
    return {name: float(value) for name, value in zip(names, steepest, strict=True)}
