"""Histograms that can be drawn on squared paper."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tasks.extract.discretize import Discretization
from tasks.extract.families import first_order
from tasks.extract.families.intensity_histogram import Settings, compute
from tasks.extract.region import Region

WHOLE = Discretization(method="none")


def histogram(*levels: int, bins: Discretization = WHOLE) -> dict[str, float]:
    image = np.array(levels, dtype=np.float32).reshape(1, 1, -1)
    return compute(Region(image, np.ones(image.shape, bool), (1.0,) * 3, "HU", discretization=bins), Settings())


def test_two_ones_four_twos_no_three_and_two_fours() -> None:
    found = histogram(1, 1, 2, 2, 2, 2, 4, 4)
    assert found["mean"] == 2.25
    assert found["mode"] == 2
    assert found["entropy"] == pytest.approx(1.5)
    assert found["uniformity"] == pytest.approx((4 + 16 + 4) / 64)
    # Counts 2, 4, 0, 2: gradients 2, -1, -1, 2.
    assert (found["maximum_gradient"], found["maximum_gradient_level"]) == (2, 1)
    assert (found["minimum_gradient"], found["minimum_gradient_level"]) == (-1, 2)


def test_of_several_modes_the_one_nearest_to_the_mean_is_taken() -> None:
    assert histogram(1, 1, 5, 5, 9, 9, 6)["mode"] == 5


def test_the_statistics_are_those_of_the_levels_as_intensities() -> None:
    levels = np.random.default_rng(0).integers(1, 20, size=(4, 5, 6)).astype(np.float32)
    region = Region(levels, levels > 3, (1.0,) * 3, "HU", discretization=WHOLE)
    expected = first_order.compute(region, first_order.Settings())
    found = compute(region, Settings())
    shared = set(expected) & set(found)
    assert len(shared) == 16
    assert {name: found[name] for name in shared} == pytest.approx({name: expected[name] for name in shared})


def test_levels_that_do_not_occur_are_part_of_the_histogram() -> None:
    # 32 bins between 0 and 31, two of them filled: the fall after the first is half its count.
    found = histogram(0, 0, 0, 0, 31, bins=Discretization(bins=32))
    assert (found["minimum"], found["maximum"]) == (1, 32)
    assert (found["minimum_gradient"], found["minimum_gradient_level"]) == (-4, 1)


def test_one_level_has_no_gradient_and_no_entropy() -> None:
    found = histogram(1, 1)
    assert found["entropy"] == 0.0
    assert found["uniformity"] == 1.0
    assert [name for name, value in found.items() if math.isnan(value)] == [
        "maximum_gradient",
        "maximum_gradient_level",
        "minimum_gradient",
        "minimum_gradient_level",
    ]
