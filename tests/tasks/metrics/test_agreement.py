"""The intraclass correlation against the published example, and by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tasks.metrics.agreement import intraclass_correlation

SHROUT_AND_FLEISS = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
"""Table 2 of doi:10.1037/0033-2909.86.2.420: four judges rate six targets; ICC(2,1) is .29."""


def test_the_published_example_has_its_published_value_and_interval() -> None:
    found = intraclass_correlation(SHROUT_AND_FLEISS)
    assert found.icc == pytest.approx(0.2898, abs=5e-5)
    # The interval as R's psych::ICC prints it for these data.
    assert (found.low, found.high) == (pytest.approx(0.019, abs=6e-4), pytest.approx(0.761, abs=6e-4))
    assert found.n == 6


def test_measurements_that_agree_have_one_and_a_shift_lowers_it() -> None:
    x = np.arange(10.0)
    assert intraclass_correlation(np.stack([x, x], axis=1)).icc == 1.0
    shifted = intraclass_correlation(np.stack([x, x + 3], axis=1))
    assert 0.5 < shifted.icc < 0.8
    assert shifted.low < shifted.icc < shifted.high


def test_scale_and_origin_do_not_matter() -> None:
    values = np.asarray(SHROUT_AND_FLEISS, dtype=float)
    assert intraclass_correlation(1e9 * values - 5e12).icc == pytest.approx(0.2898, abs=1e-3)


def test_things_that_do_not_differ_have_none_however_they_are_measured() -> None:
    for values in ([[1.0, 2.0]] * 3, [[0.1, 0.3]] * 5, np.ones((4, 3))):
        assert math.isnan(intraclass_correlation(values).icc)


def test_noise_alone_has_about_none() -> None:
    found = intraclass_correlation(np.random.default_rng(0).normal(size=(500, 2)))
    assert abs(found.icc) < 0.1
    assert found.low < 0 < found.high


def test_rows_with_nan_are_left_out_and_too_few_rows_have_none() -> None:
    values = [[1.0, 2.0], [math.nan, 2.0], [3.0, 3.0], [5.0, 4.0]]
    assert intraclass_correlation(values).n == 3
    assert math.isnan(intraclass_correlation(values[:3]).icc)
    assert math.isnan(intraclass_correlation(np.ones((5, 3))).icc)
