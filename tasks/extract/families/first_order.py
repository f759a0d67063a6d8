"""Intensity statistics (first order): the 18 features of the IBSI, section 3.3 (arXiv:1612.07003).

They are measured on the intensity mask; see :mod:`tasks.extract.statistics` for where they are not defined.
"""

from __future__ import annotations

import numpy as np

from tasks.extract.feature import FeatureInfo
from tasks.extract.region import Region
from tasks.extract.statistics import statistics
from tasks.settings import StageSettings

FEATURES = {
    "mean": FeatureInfo("Q4LE", "intensity", "Mean intensity.", "stat_mean"),
    "variance": FeatureInfo("ECT3", "intensity2", "Population variance.", "stat_var"),
    "skewness": FeatureInfo("KE2A", "1", "Third standardized moment.", "stat_skew"),
    "kurtosis": FeatureInfo(
        "IPH6", "1", "Fourth standardized moment less 3 (excess: 0 for a normal distribution).", "stat_kurt"
    ),
    "median": FeatureInfo("Y12H", "intensity", "Median.", "stat_median"),
    "minimum": FeatureInfo("1GSF", "intensity", "Smallest intensity.", "stat_min"),
    "percentile_10": FeatureInfo("QG58", "intensity", "10th percentile.", "stat_p10"),
    "percentile_90": FeatureInfo("8DWT", "intensity", "90th percentile.", "stat_p90"),
    "maximum": FeatureInfo("84IY", "intensity", "Largest intensity.", "stat_max"),
    "interquartile_range": FeatureInfo("SALO", "intensity", "75th less 25th percentile.", "stat_iqr"),
    "range": FeatureInfo("2OJQ", "intensity", "Largest less smallest intensity.", "stat_range"),
    "mean_absolute_deviation": FeatureInfo("4FUA", "intensity", "Mean distance from the mean.", "stat_mad"),
    "robust_mean_absolute_deviation": FeatureInfo(
        "1128",
        "intensity",
        "Mean distance from the mean between the 10th and 90th percentile.",
        "stat_rmad",
        "no intensity lies between the two percentiles",
    ),
    "median_absolute_deviation": FeatureInfo("N72L", "intensity", "Mean distance from the median.", "stat_medad"),
    "coefficient_of_variation": FeatureInfo("7TET", "1", "Standard deviation over mean.", "stat_cov", "the mean is 0"),
    "quartile_coefficient_of_dispersion": FeatureInfo(
        "9S40", "1", "(P75 - P25) / (P75 + P25).", "stat_qcod", "the sum of the quartiles is 0"
    ),
    "energy": FeatureInfo(
        "N8CA", "intensity2", "Sum of squared intensities; grows with the number of voxels.", "stat_energy"
    ),
    "root_mean_square": FeatureInfo("5ZWQ", "intensity", "Root of the mean squared intensity.", "stat_rms"),
}


class Settings(StageSettings):
    """No options: the standard leaves none."""


def compute(region: Region, settings: Settings) -> dict[str, float]:  # noqa: ARG001 - all families are called alike
    """Statistics of the region's intensities, by the names of ``FEATURES``."""
    return statistics(np.sort(region.values))
