"""What is most alike is found: planted copies, whatever their brightness, and always as a full search finds it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from tasks.imaging.pyramid.retrieval import RegionIndex, regions_on_grid

SHAPES = ((16, 16), (28, 28), (12, 9), (8, 8, 8), (3, 16, 16), (1, 16, 16), (3, 4), (1, 30))


def structures(rng: np.random.Generator, count: int, shape: tuple[int, ...], sigma: float) -> npt.NDArray[Any]:
    """Smooth random structures; without a sigma, noise."""
    noise = rng.normal(size=(count, *shape))
    return np.stack([ndimage.gaussian_filter(one, sigma) for one in noise]) if sigma else noise


def correlation(regions: npt.NDArray[Any], region: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Normalized cross-correlation with each region, by its definition."""
    rows, row = regions.reshape(len(regions), -1).astype(np.float64), region.ravel().astype(np.float64)
    rows, row = rows - rows.mean(axis=1, keepdims=True), row - row.mean()
    products: npt.NDArray[np.float64] = rows @ row / (np.linalg.norm(rows, axis=1) * np.linalg.norm(row))
    return products


def test_a_region_is_most_like_itself_then_like_its_darker_copy_and_least_like_its_negative() -> None:
    rng = np.random.default_rng(0)
    one, other = structures(rng, 2, (16, 16), 2.0)
    found = RegionIndex.of([-one, other, 0.5 * one - 100, one]).search(one, 4)
    assert found.positions.tolist() == [2, 3, 1, 0]
    assert np.allclose(found.scores[[0, 1, 3]], [1, 1, -1], atol=1e-6)


@given(st.sampled_from(SHAPES), st.integers(0, 2**20), st.sampled_from([0.0, 0.7, 2.0]), st.integers(1, 12))
@settings(max_examples=40, deadline=None, derandomize=True)
def test_the_answer_is_that_of_a_full_search(shape: tuple[int, ...], seed: int, sigma: float, k: int) -> None:
    rng = np.random.default_rng(seed)
    regions = structures(rng, 150, shape, sigma)
    region = regions[7] + 0.3 * regions.std() * rng.normal(size=shape)
    found = RegionIndex.of(regions).search(region, k)
    expected = correlation(regions, region)
    assert np.allclose(found.scores, np.sort(expected)[::-1][:k], atol=1e-5)
    assert np.allclose(expected[found.positions], found.scores, atol=1e-5)


@pytest.mark.parametrize("shape", [(32, 32), (16, 16, 16)])
def test_planted_copies_are_all_found_and_few_others_are_compared(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(1)
    regions = structures(rng, 2000, shape, 2.0)
    copies = rng.choice(2000, 10, replace=False)
    planted = regions[copies[0]].copy()
    for place in copies:
        regions[place] = planted * rng.uniform(0.5, 2.0) + rng.normal(0.0, 0.2 * planted.std(), shape)
    found = RegionIndex.of(regions).search(planted, 10)
    assert set(found.positions.tolist()) == set(copies.tolist())
    assert found.compared < 200


def test_equals_come_in_the_order_of_the_index() -> None:
    rng = np.random.default_rng(2)
    regions = np.repeat(structures(rng, 3, (20, 20), 1.0), 101, axis=0)
    assert RegionIndex.of(regions).search(regions[101], 5).positions.tolist() == [101, 102, 103, 104, 105]


def test_only_the_regions_that_count_are_found() -> None:
    regions = structures(np.random.default_rng(3), 300, (16, 16), 2.0)
    among = np.arange(300) % 3 == 0
    found = RegionIndex.of(regions).search(regions[1], 4, among=among)
    expected = np.where(among, correlation(regions, regions[1]), -2)
    assert found.positions.tolist() == np.argsort(-expected)[:4].tolist()
    assert len(RegionIndex.of(regions).search(regions[1], 4, among=np.arange(300) < 2).positions) == 2


def test_a_constant_region_is_like_none() -> None:
    regions = [np.full((8, 8), 1e6), *structures(np.random.default_rng(4), 3, (8, 8), 1.0)]
    found = RegionIndex.of(regions).search(np.full((8, 8), 3, dtype=np.int16), 4)
    assert found.scores.tolist() == [0, 0, 0, 0]
    assert found.positions.tolist() == [0, 1, 2, 3]


def test_a_kept_index_answers_alike(tmp_path: Path) -> None:
    regions = structures(np.random.default_rng(5), 40, (9, 12, 12), 1.0)
    index = RegionIndex.of(regions)
    np.savez(tmp_path / "index.npz", **index.arrays())  # type: ignore[arg-type]
    with np.load(tmp_path / "index.npz", allow_pickle=False) as kept:
        again = RegionIndex.from_arrays(dict(kept))
    one, other = index.search(regions[3] + 0.1, 7), again.search(regions[3] + 0.1, 7)
    assert (again.shape, len(again)) == ((9, 12, 12), 40)
    assert np.array_equal(one.positions, other.positions)
    assert np.array_equal(one.scores, other.scores)


def test_regions_on_a_grid_are_where_they_are_said_to_be() -> None:
    image = np.arange(7 * 9).reshape(7, 9)
    starts, regions = regions_on_grid(image, (3, 4), (2, 5))
    assert starts.tolist() == [[0, 0], [0, 5], [2, 0], [2, 5], [4, 0], [4, 5]]
    for (y, x), region in zip(starts, regions, strict=True):
        assert np.array_equal(region, image[y : y + 3, x : x + 4])


def test_a_place_in_a_volume_is_found_again_with_noise() -> None:
    rng = np.random.default_rng(6)
    volume = ndimage.gaussian_filter(rng.normal(size=(24, 40, 40)), 1.5)
    starts, regions = regions_on_grid(volume, (8, 8, 8), (4, 4, 4))
    sought = volume[8:16, 20:28, 12:20] + 0.3 * volume.std() * rng.normal(size=(8, 8, 8))
    assert starts[RegionIndex.of(regions).search(sought, 1).positions[0]].tolist() == [8, 20, 12]


def test_what_does_not_fit_is_refused() -> None:
    index = RegionIndex.of(np.random.default_rng(7).normal(size=(5, 8, 8)))
    for region, k in ((np.zeros((8, 9)), 1), (np.zeros((8, 8)), 0)):
        with pytest.raises(ValueError, match=r"expected a region of \(8, 8\) and k of 1 or more"):
            index.search(region, k)
    with pytest.raises(ValueError, match="among of 5 regions"):
        index.search(np.zeros((8, 8)), 1, among=np.ones(4, dtype=bool))
    with pytest.raises(ValueError, match="one shape; got none"):
        RegionIndex.of([])
    with pytest.raises(ValueError, match="one shape"):
        RegionIndex.of([np.zeros((8, 8)), np.zeros((8, 9))])
