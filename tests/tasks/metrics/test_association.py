"""Cramér's V by hand, and that chance alone gives nothing."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.metrics.association import cramers_v


def test_one_that_tells_the_other_is_1() -> None:
    assert cramers_v([[10, 0], [0, 10]]) == pytest.approx(1.0)
    assert cramers_v([[500, 0], [0, 300], [0, 400]]) == pytest.approx(1.0, abs=0.001)


def test_independent_groupings_are_0() -> None:
    assert cramers_v([[6, 4], [12, 8]]) == 0.0


def test_the_correction_is_that_of_bergsma() -> None:
    # Expected are 5 everywhere: chi squared is 4 * 9 / 5 = 7.2, over 20 patients 0.36, less 1 / 19; 2 - 1 / 19 groups.
    assert cramers_v([[8, 2], [2, 8]]) == pytest.approx(((0.36 - 1 / 19) / (1 - 1 / 19)) ** 0.5)


def test_with_one_group_there_is_nothing_to_say() -> None:
    assert cramers_v([[4, 5]]) is None
    assert cramers_v([[4, 0], [5, 0]]) is None
    assert cramers_v(np.zeros((0, 2))) is None
    assert cramers_v([[1, 0], [0, 0]]) is None


def test_chance_in_a_small_cohort_brings_little_where_plain_v_would_be_large() -> None:
    rng = np.random.default_rng(0)
    found = []
    for _ in range(200):
        table = np.zeros((4, 2))
        np.add.at(table, (rng.integers(0, 4, 16), rng.integers(0, 2, 16)), 1)
        found.append(cramers_v(table))
    assert np.mean([one for one in found if one is not None]) < 0.25
