"""Co-occurrence matrices counted by hand and pair by pair."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from tasks.extract.discretize import Discretization
from tasks.extract.families.glcm import MANY_CELLS, Settings, co_occurrence, compute
from tasks.extract.region import Region
from tasks.extract.texture.aggregation import AGGREGATIONS
from tasks.extract.texture.counts import Counts
from tasks.extract.texture.scan import scan

STEPS = [s for s in itertools.product((-1, 0, 1), repeat=3) if s > (0, 0, 0)]
IN_PLANE = [s for s in STEPS if s[0] == 0]


def of_levels(levels: object) -> Region:
    """A region of these levels, where they are not 0."""
    array = np.array(levels, ndmin=3)
    return Region(np.maximum(array, 1), array > 0, (1.0, 1.0, 1.0), "HU", discretization=Discretization(method="none"))


def values(levels: object, **settings: object) -> dict[str, float]:
    found = compute(of_levels(levels), Settings.model_validate(settings))
    return {name.removesuffix("_3D_comb"): value for name, value in found.items()}


def symmetric(pairs: Counts, matrix: int, size: int) -> np.ndarray:
    """One matrix in full, each pair in both orders."""
    full = np.zeros((size, size))
    of = pairs.matrix == matrix
    np.add.at(full, (pairs.row[of], pairs.column[of]), pairs.count[of])
    return full + full.T


def counted(levels: np.ndarray, steps: list[tuple[int, ...]], distance: int, size: int) -> np.ndarray:
    """The same, voxel by voxel."""
    full = np.zeros((size, size))
    inside = {tuple(int(i) for i in voxel): int(levels[tuple(voxel)]) for voxel in np.argwhere(levels)}
    for voxel, level in inside.items():
        for step in steps:
            other = inside.get(tuple(v + distance * s for v, s in zip(voxel, step, strict=True)))
            if other:
                full[level, other] += 1
                full[other, level] += 1
    return full


def test_two_pairs_give_the_features_worked_out_by_hand() -> None:
    # 1 1 2: p(1,1) = 1/2, p(1,2) = p(2,1) = 1/4; marginal 3/4 and 1/4; two levels.
    found = values([1, 1, 2])
    marginal = -(0.75 * math.log2(0.75) + 0.25 * math.log2(0.25))
    expected = {
        "joint_maximum": 0.5,
        "joint_average": 1.25,
        "joint_variance": 3 / 16,
        "joint_entropy": 1.5,
        "difference_average": 0.5,
        "difference_variance": 0.25,
        "difference_entropy": 1.0,
        "sum_average": 2.5,
        "sum_variance": 0.25,
        "sum_entropy": 1.0,
        "angular_second_moment": 3 / 8,
        "contrast": 0.5,
        "dissimilarity": 0.5,
        "inverse_difference": 0.75,
        "normalised_inverse_difference": 0.5 + 0.5 / 1.5,
        "inverse_difference_moment": 0.75,
        "normalised_inverse_difference_moment": 0.5 + 0.5 / 1.25,
        "inverse_variance": 0.5,
        "correlation": -1 / 3,
        "autocorrelation": 1.5,
        "cluster_tendency": 0.25,
        "cluster_shade": 0.0,
        "cluster_prominence": 1 / 16,
        "information_correlation_1": (1.5 - 2 * marginal) / marginal,
        "information_correlation_2": math.sqrt(1 - math.exp(-2 * (2 * marginal - 1.5))),
    }
    assert found == pytest.approx(expected)
    assert list(found) == list(expected)


def test_independent_levels_inform_nothing_of_each_other() -> None:
    found = values([1, 1, 2, 2, 1])
    assert found["information_correlation_1"] == pytest.approx(0.0)
    assert found["information_correlation_2"] == pytest.approx(0.0, abs=1e-7)
    assert found["correlation"] == pytest.approx(0.0)


def test_at_distance_2_every_other_voxel_is_a_pair() -> None:
    found = values([1, 5, 2], distance=2)
    assert found["contrast"] == 1.0
    assert math.isnan(values([1, 5], distance=2)["contrast"])


@pytest.mark.parametrize("distance", [1, 2])
@pytest.mark.parametrize("highest", [4, 300])
def test_matrices_are_those_counted_voxel_by_voxel(highest: int, distance: int) -> None:
    rng = np.random.default_rng(highest)
    levels = rng.integers(1, highest + 1, (4, 5, 6)) * (rng.random((4, 5, 6)) < 0.7)
    levels[0, 0, 0] = highest
    voxels, size = scan(of_levels(levels), distance), highest + 1
    # 300 levels are counted from a sorted list, 4 in a matrix.
    assert (size**2 > MANY_CELLS) == (highest == 300)

    def found(name: str) -> Counts:
        return co_occurrence(voxels, AGGREGATIONS[name], distance)

    merged, in_slices = found("3D_comb"), found("2_5D_comb")
    np.testing.assert_array_equal(symmetric(merged, 0, size), counted(levels, STEPS, distance, size))
    np.testing.assert_array_equal(symmetric(in_slices, 0, size), counted(levels, IN_PLANE, distance, size))
    of_directions = [counted(levels, [step], distance, size) for step in STEPS]
    of_slices = [counted(plane[None], IN_PLANE, distance, size) for plane in levels]
    of_both = [counted(plane[None], [step], distance, size) for plane in levels for step in IN_PLANE]
    for name, expected in (("3D_avg", of_directions), ("2D_comb", of_slices), ("2D_avg", of_both)):
        pairs, filled = found(name), [matrix for matrix in expected if matrix.any()]
        assert len(pairs.starts) == len(filled)
        for i, matrix in enumerate(filled):
            np.testing.assert_array_equal(symmetric(pairs, i, size), matrix)


def test_an_average_is_of_the_directions_that_have_pairs() -> None:
    # x: 1 2 and 1 4; y: 1 1 and 2 4; the diagonals 1 4 and 2 1. Differences 1, 3; 0, 2; 3; 1.
    found = compute(of_levels([[1, 2], [1, 4]]), Settings(aggregations=("2D_avg", "2D_comb")))
    assert found["dissimilarity_2D_avg"] == pytest.approx((2 + 1 + 3 + 1) / 4)
    assert found["dissimilarity_2D_comb"] == pytest.approx((1 + 3 + 0 + 2 + 3 + 1) / 6)
    row = compute(of_levels([1, 2, 4]), Settings(aggregations=("2D_avg", "3D_avg")))
    assert row["dissimilarity_2D_avg"] == row["dissimilarity_3D_avg"] == pytest.approx(1.5)


def test_of_one_level_the_correlations_are_not_defined_and_the_rest_is() -> None:
    found = values(np.full((2, 2, 2), 3))
    undefined = {name for name, value in found.items() if math.isnan(value)}
    assert undefined == {"correlation", "information_correlation_1"}
    assert found["joint_maximum"] == found["angular_second_moment"] == found["inverse_difference"] == 1.0
    assert found["joint_entropy"] == found["cluster_prominence"] == found["inverse_variance"] == 0.0


def test_voxels_without_a_neighbour_have_no_features() -> None:
    assert all(math.isnan(value) for value in values([1, 0, 2]).values())
