"""Bins of intensities, counted by hand."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from storage.errors import CaseError
from tasks.extract.discretize import Discretization, discretize


def levels(*values: float, **settings: object) -> tuple[list[int], int]:
    image = np.array(values).reshape(1, 1, -1)
    found = discretize(image, np.ones(image.shape, bool), Discretization.model_validate(settings))
    return found.array.ravel().tolist(), found.count


def test_a_fixed_number_of_bins_spans_the_intensities_and_the_last_bin_holds_the_largest() -> None:
    assert levels(0, 2.4, 2.5, 5, 9.9, 10, bins=4) == ([1, 1, 2, 3, 4, 4], 4)


def test_bins_of_one_size_begin_at_the_lowest() -> None:
    assert levels(-500, -476, -475, 0, method="fixed_bin_size", width=25, lowest=-500) == ([1, 1, 2, 21], 21)
    assert levels(3, 5, 9, method="fixed_bin_size", width=2) == ([1, 2, 4], 4)


def test_whole_numbers_may_be_levels_already() -> None:
    assert levels(1, 6, 3, method="none") == ([1, 6, 3], 6)
    with pytest.raises(CaseError, match="whole numbers from 1 on"):
        levels(1, 2.5, method="none")
    with pytest.raises(CaseError, match="from 0 to 2"):
        levels(0, 2, method="none")


def test_equal_intensities_are_one_level() -> None:
    assert levels(7, 7, bins=8) == ([1, 1], 8)
    assert levels(7, 7, method="fixed_bin_size", width=2) == ([1, 1], 1)


def test_outside_the_mask_there_is_no_level() -> None:
    found = discretize(np.array([[[1.0, 50.0, 3.0]]]), np.array([[[True, False, True]]]), Discretization(bins=2))
    assert found.array.tolist() == [[[1, 0, 2]]]
    assert (found.lowest, found.width) == (1.0, 1.0)
    assert discretize(np.ones((1, 1, 1)), np.zeros((1, 1, 1), bool), Discretization()).count == 0


def test_what_cannot_be_meant_is_refused() -> None:
    with pytest.raises(ValueError, match="re-segment first"):
        levels(-5, 5, method="fixed_bin_size", lowest=0)
    with pytest.raises(CaseError, match="widen the bins"):
        levels(0, 1e9, method="fixed_bin_size", width=1)
    with pytest.raises(ValidationError, match="belongs to the method"):
        Discretization(lowest=3.0)
