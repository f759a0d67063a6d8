"""Tone differences: a published matrix, and the formulas of the standard summed term by term."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from tasks.extract.discretize import Discretization
from tasks.extract.families.ngtdm import Settings, compute, tone_differences, tone_features
from tasks.extract.region import Region
from tasks.extract.texture.aggregation import AGGREGATIONS


def of_levels(levels: object) -> Region:
    """A region of these levels, where they are not 0."""
    array = np.array(levels, ndmin=3)
    return Region(np.maximum(array, 1), array > 0, (1.0, 1.0, 1.0), "HU", discretization=Discretization(method="none"))


def values(levels: object) -> dict[str, float]:
    return {name.removesuffix("_3D"): value for name, value in compute(of_levels(levels), Settings()).items()}


def counted(levels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The columns s and n, voxel by voxel."""
    s, n = np.zeros(levels.max() + 1), np.zeros(levels.max() + 1)
    padded = np.pad(levels, 1)
    for z, y, x in np.argwhere(levels):
        around = padded[z : z + 3, y : y + 3, x : x + 3].ravel()
        neighbours = np.delete(around, 13)
        neighbours = neighbours[neighbours > 0]
        if neighbours.size:
            s[levels[z, y, x]] += abs(levels[z, y, x] - neighbours.mean())
            n[levels[z, y, x]] += 1
    return s, n


def test_a_matrix_worked_out_by_hand() -> None:
    # The fourth level does not occur. Of the second: |2 - 15/5| + |2 - 9/3|; of the third as below.
    levels = [[1, 2, 5, 2], [3, 5, 1, 3], [1, 3, 5, 5], [3, 1, 1, 1]]
    s, n = tone_differences(of_levels(levels), AGGREGATIONS["3D"])
    assert n[0].tolist() == [0, 6, 2, 4, 0, 4]
    third = (3 - 12 / 5) + (18 / 5 - 3) + (3 - 20 / 8) + (3 - 5 / 3)
    assert s[0] == pytest.approx([0, 13.35, 2.0, third, 0, 10.075])


def test_the_matrix_is_that_counted_voxel_by_voxel() -> None:
    rng = np.random.default_rng(0)
    levels = rng.integers(1, 6, (4, 5, 6)) * (rng.random((4, 5, 6)) < 0.5)
    s, n = tone_differences(of_levels(levels), AGGREGATIONS["3D"])
    expected_s, expected_n = counted(levels)
    np.testing.assert_allclose(s[0], expected_s)
    np.testing.assert_array_equal(n[0], expected_n)
    in_slices = tone_differences(of_levels(levels), AGGREGATIONS["2D"])
    for z in range(4):
        flat_s, flat_n = counted(levels[z : z + 1])
        np.testing.assert_allclose(in_slices[0][z, : len(flat_s)], flat_s)
        np.testing.assert_array_equal(in_slices[1][z, : len(flat_n)], flat_n)


def test_features_are_the_standards_double_sums() -> None:
    rng = np.random.default_rng(1)
    n = rng.integers(0, 4, (3, 9)) * (np.arange(9) > 0)
    s = rng.random((3, 9)) * (n > 0)
    found = tone_features(s, n)
    for row in range(3):
        p, d, total = n[row] / n[row].sum(), s[row], n[row].sum()
        present = [int(i) for i in np.flatnonzero(n[row])]
        pairs, m = list(itertools.product(present, present)), len(present)
        spread = sum(p[i] * p[j] * (i - j) ** 2 for i, j in pairs) / (m * (m - 1))
        expected = {
            "coarseness": 1 / (p @ d),
            "contrast": spread * d.sum() / total,
            "busyness": p @ d / sum(abs(i * p[i] - j * p[j]) for i, j in pairs),
            "complexity": sum(abs(i - j) * (p[i] * d[i] + p[j] * d[j]) / (p[i] + p[j]) for i, j in pairs) / total,
            "strength": sum((p[i] + p[j]) * (i - j) ** 2 for i, j in pairs) / d.sum(),
        }
        assert {name: float(value[row]) for name, value in found.items()} == pytest.approx(expected)


def test_a_voxel_without_a_neighbour_does_not_count() -> None:
    _, n = tone_differences(of_levels([1, 2, 0, 9]), AGGREGATIONS["3D"])
    assert n[0].tolist() == [0, 1, 1, 0, 0, 0, 0, 0, 0, 0]
    assert all(math.isnan(value) for value in values([1, 0, 2]).values())


def test_one_level_is_as_coarse_as_can_be() -> None:
    expected = {"coarseness": 1e6, "contrast": 0.0, "busyness": 0.0, "complexity": 0.0, "strength": 0.0}
    assert values(np.full((2, 2, 2), 3)) == expected


def test_busyness_is_not_defined_where_all_levels_weigh_the_same() -> None:
    # Two voxels of level 1 and one of level 2: 1 · 2/3 = 2 · 1/3.
    found = values([1, 2, 1])
    assert math.isnan(found.pop("busyness"))
    assert all(math.isfinite(value) for value in found.values())
