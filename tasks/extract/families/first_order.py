"""Intensity statistics (first order): the 18 features of the IBSI, section 3.3 (arXiv:1612.07003).

They depend on which intensities a region has, not on where. Where the intensities are all equal, skewness and kurtosis
are 0, as the standard has it; ratios with a denominator of 0 are NaN.
"""

from __future__ import annotations

import numpy as np

from tasks.extract.feature import FeatureInfo
from tasks.extract.region import Region
from tasks.settings import StageSettings

FEATURES = {
    "mean": FeatureInfo("Q4LE", "intensity", "Mean intensity."),
    "variance": FeatureInfo("ECT3", "intensity2", "Population variance."),
    "skewness": FeatureInfo("KE2A", "1", "Third standardized moment."),
    "kurtosis": FeatureInfo("IPH6", "1", "Fourth standardized moment less 3 (excess: 0 for a normal distribution)."),
    "median": FeatureInfo("Y12H", "intensity", "Median."),
    "minimum": FeatureInfo("1GSF", "intensity", "Smallest intensity."),
    "percentile_10": FeatureInfo("QG58", "intensity", "10th percentile."),
    "percentile_90": FeatureInfo("8DWT", "intensity", "90th percentile."),
    "maximum": FeatureInfo("84IY", "intensity", "Largest intensity."),
    "interquartile_range": FeatureInfo("SALO", "intensity", "75th less 25th percentile."),
    "range": FeatureInfo("2OJQ", "intensity", "Largest less smallest intensity."),
    "mean_absolute_deviation": FeatureInfo("4FUA", "intensity", "Mean distance from the mean."),
    "robust_mean_absolute_deviation": FeatureInfo(
        "1128", "intensity", "The same between the 10th and 90th percentile."
    ),
    "median_absolute_deviation": FeatureInfo("N72L", "intensity", "Mean distance from the median."),
    "coefficient_of_variation": FeatureInfo("7TET", "1", "Standard deviation over mean; NaN where the mean is 0."),
    "quartile_coefficient_of_dispersion": FeatureInfo(
        "9S40", "1", "(P75 - P25) / (P75 + P25); NaN where the sum is 0."
    ),
    "energy": FeatureInfo("N8CA", "intensity2", "Sum of squared intensities; grows with the number of voxels."),
    "root_mean_square": FeatureInfo("5ZWQ", "intensity", "Root of the mean squared intensity."),
}


class Settings(StageSettings):
    """No options: the standard leaves none."""


def compute(region: Region, settings: Settings) -> dict[str, float]:  # noqa: ARG001 - all families are called alike
    """Statistics of the region's intensities, by the names of ``FEATURES``.

    Percentiles are interpolated linearly between order statistics, which gives the standard's reference values.
    """
    x = region.values
    mean, p10, p25, median, p75, p90 = float(x.mean()), *(float(p) for p in np.percentile(x, (10, 25, 50, 75, 90)))
    centred = x - mean
    variance = float(np.mean(centred**2)) if x.min() < x.max() else 0.0  # exactly 0, where rounding would leave 1e-30
    middle = x[(x >= p10) & (x <= p90)]
    return {
        "mean": mean,
        "variance": variance,
        "skewness": float(np.mean(centred**3)) / variance**1.5 if variance else 0.0,
        "kurtosis": float(np.mean(centred**4)) / variance**2 - 3.0 if variance else 0.0,
        "median": median,
        "minimum": float(x.min()),
        "percentile_10": p10,
        "percentile_90": p90,
        "maximum": float(x.max()),
        "interquartile_range": p75 - p25,
        "range": float(np.ptp(x)),
        "mean_absolute_deviation": float(np.mean(np.abs(centred))),
        # With few voxels and ties broken by interpolation nothing may lie between the two percentiles.
        "robust_mean_absolute_deviation": float(np.mean(np.abs(middle - middle.mean())))
        if middle.size
        else float("nan"),
        "median_absolute_deviation": float(np.mean(np.abs(x - median))),
        "coefficient_of_variation": variance**0.5 / mean if mean else float("nan"),
        "quartile_coefficient_of_dispersion": (p75 - p25) / (p75 + p25) if p75 + p25 else float("nan"),
        "energy": float(np.sum(x**2)),
        "root_mean_square": float(np.sqrt(np.mean(x**2))),
    }
