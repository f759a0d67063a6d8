"""Statistics of a set of numbers: what intensities and levels have in common.

Sections 3.3 and 3.4 of the IBSI manual (arXiv:1612.07003) ask the same of both. It depends on which numbers there are,
not on where. Where all are equal, skewness and kurtosis are 0, as the standard has it; ratios with a denominator of 0
are NaN.
"""

from __future__ import annotations

import numpy as np

from storage.volume import FloatArray


def statistics(ordered: FloatArray) -> dict[str, float]:
    """Statistics of at least one number, ``float64`` in ascending order.

    Percentiles are interpolated linearly between order statistics, which gives the standard's reference values.
    """
    x = ordered
    p10, p25, median, p75, p90 = (_percentile(x, share) for share in (0.10, 0.25, 0.50, 0.75, 0.90))
    low, high, mean = float(x[0]), float(x[-1]), float(x.mean())
    centred = x - mean
    squares = centred * centred
    variance = float(squares.mean()) if low < high else 0.0  # exactly 0, where rounding would leave 1e-30
    energy = float((x * x).sum())
    # With few numbers and ties broken by interpolation nothing may lie between the two percentiles.
    middle = x[np.searchsorted(x, p10, "left") : np.searchsorted(x, p90, "right")]
    return {
        "mean": mean,
        "variance": variance,
        "skewness": float((squares * centred).mean()) / variance**1.5 if variance else 0.0,
        "kurtosis": float((squares * squares).mean()) / variance**2 - 3.0 if variance else 0.0,
        "median": median,
        "minimum": low,
        "percentile_10": p10,
        "percentile_90": p90,
        "maximum": high,
        "interquartile_range": p75 - p25,
        "range": high - low,
        "mean_absolute_deviation": float(np.abs(centred).mean()),
        "robust_mean_absolute_deviation": float(np.abs(middle - middle.mean()).mean()) if middle.size else float("nan"),
        "median_absolute_deviation": float(np.abs(x - median).mean()),
        "coefficient_of_variation": variance**0.5 / mean if mean else float("nan"),
        "quartile_coefficient_of_dispersion": (p75 - p25) / (p75 + p25) if p75 + p25 else float("nan"),
        "energy": energy,
        "root_mean_square": (energy / x.size) ** 0.5,
    }


def _percentile(ordered: FloatArray, share: float) -> float:
    """As ``numpy.percentile``, to the last bit, without sorting again."""
    place = share * (ordered.size - 1)
    below = int(place)
    low, high = float(ordered[below]), float(ordered[min(below + 1, ordered.size - 1)])
    rest = place - below
    return low + (high - low) * rest if rest < 0.5 else high - (high - low) * (1 - rest)
