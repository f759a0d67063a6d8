"""Dependence counts by hand and voxel by voxel."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from tasks.extract.discretize import Discretization
from tasks.extract.families.ngldm import Settings, compute, dependences
from tasks.extract.region import Region
from tasks.extract.texture.aggregation import AGGREGATIONS


def of_levels(levels: object) -> Region:
    """A region of these levels, where they are not 0."""
    array = np.array(levels, ndmin=3)
    return Region(np.maximum(array, 1), array > 0, (1.0, 1.0, 1.0), "HU", discretization=Discretization(method="none"))


def found(levels: object, name: str, alpha: float = 0.0, distance: int = 1) -> list[Counter]:
    """Voxels by level and dependence count, of each matrix."""
    counts = dependences(of_levels(levels), AGGREGATIONS[name], alpha, distance)
    matrices = [Counter() for _ in counts.starts]
    for matrix, level, size, count in zip(counts.matrix, counts.row, counts.column, counts.count, strict=True):
        matrices[matrix][int(level), int(size)] = int(count)
    return matrices


def counted(levels: np.ndarray, alpha: float, distance: int) -> Counter:
    matrix: Counter = Counter()
    inside = np.argwhere(levels)
    for voxel in inside:
        near = inside[np.abs(inside - voxel).max(axis=1) <= distance]
        level = levels[tuple(voxel)]
        matrix[int(level), int((np.abs(levels[tuple(near.T)] - level) <= alpha).sum())] += 1
    return matrix


@pytest.mark.parametrize(("alpha", "distance"), [(0, 1), (1, 1), (1.9, 1), (3, 2), (0, 3)])
def test_dependences_are_those_counted_voxel_by_voxel(alpha: float, distance: int) -> None:
    rng = np.random.default_rng(2)
    levels = rng.integers(1, 5, (4, 5, 6)) * (rng.random((4, 5, 6)) < 0.8)
    assert found(levels, "3D", alpha, distance) == [counted(levels, alpha, distance)]
    of_slices = [counted(plane[None], alpha, distance) for plane in levels]
    assert found(levels, "2D", alpha, distance) == of_slices
    assert found(levels, "2_5D", alpha, distance) == [sum(of_slices, Counter())]


def test_a_voxel_depends_on_itself() -> None:
    assert found([3], "3D") == [{(3, 1): 1}]


def test_what_lies_outside_is_like_nothing() -> None:
    # Level 1 differs by no more than alpha from 0, the mark of what lies outside.
    assert found([1, 0, 1], "3D", alpha=2) == [{(1, 1): 2}]


def test_features_of_a_row_are_worked_out_by_hand() -> None:
    # 1 1 2: the two ones depend on each other, the two on itself.
    values = compute(of_levels([1, 1, 2]), Settings())
    assert values["low_dependence_emphasis_3D"] == pytest.approx((2 / 4 + 1) / 3)
    assert values["high_dependence_high_grey_level_emphasis_3D"] == pytest.approx((2 * 4 + 4) / 3)
    assert values["dependence_count_variance_3D"] == pytest.approx(2 / 9)
    assert values["dependence_count_energy_3D"] == pytest.approx(5 / 9)
    assert values["grey_level_non_uniformity_3D"] == pytest.approx(5 / 3)
    assert values["dependence_count_percentage_3D"] == 1.0
