"""Intensity statistics that can be computed in one's head."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tasks.extract.families.first_order import FEATURES, Settings, compute
from tasks.extract.region import Region


def statistics(*values: float) -> dict[str, float]:
    image = np.array(values, dtype=np.float32).reshape(1, 1, -1)
    return compute(Region(image, np.ones(image.shape, bool), (1.0, 1.0, 1.0), "HU"), Settings())


def test_statistics_of_one_to_five() -> None:
    values = statistics(1, 2, 3, 4, 5)
    expected = {
        "mean": 3.0,
        "variance": 2.0,
        "skewness": 0.0,
        "kurtosis": (16 + 1 + 0 + 1 + 16) / 5 / 4 - 3,
        "median": 3.0,
        "minimum": 1.0,
        "percentile_10": 1.4,
        "percentile_90": 4.6,
        "maximum": 5.0,
        "interquartile_range": 2.0,
        "range": 4.0,
        "mean_absolute_deviation": 1.2,
        "robust_mean_absolute_deviation": 2 / 3,
        "median_absolute_deviation": 1.2,
        "coefficient_of_variation": math.sqrt(2) / 3,
        "quartile_coefficient_of_dispersion": 2 / 6,
        "energy": 55.0,
        "root_mean_square": math.sqrt(11),
    }
    assert values == pytest.approx(expected)
    assert list(values) == list(FEATURES)


def test_voxels_outside_the_mask_do_not_count() -> None:
    image = np.array([[[1.0, 1.0, 900.0]]])
    assert compute(Region(image, image < 2, (1.0, 1.0, 1.0), "HU"), Settings())["maximum"] == 1.0


def test_equal_intensities_have_skewness_and_kurtosis_zero() -> None:
    # 0.1 is no binary fraction: its mean over 7 voxels differs from it by rounding, and must not be taken for a spread.
    values = statistics(*[0.1] * 7)
    assert values["variance"] == values["skewness"] == values["kurtosis"] == 0.0


def test_a_mean_of_zero_leaves_the_ratios_undefined() -> None:
    values = statistics(-1, 1)
    assert math.isnan(values["coefficient_of_variation"])
    assert math.isnan(values["quartile_coefficient_of_dispersion"])


def test_one_voxel_has_finite_statistics() -> None:
    assert all(math.isfinite(v) for v in statistics(5.0).values())
