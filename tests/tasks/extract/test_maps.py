"""Feature maps against matrices made voxel by voxel, and what they are where little or nothing lies around a voxel."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from pydantic import ValidationError

from storage.volume import Volume
from tasks.extract.discretize import Discretization, Levels, discretize
from tasks.extract.map_settings import CO_OCCURRENCE, STATISTICS, MapSettings
from tasks.extract.maps import DIRECTIONS, maps_of_case, voxel_maps
from tasks.extract.settings import Settings
from tasks.imaging.candidate_set import CandidateSet, Piece

ALL = STATISTICS + CO_OCCURRENCE
BINS = Discretization(bins=6)


def matrices(levels: np.ndarray, count: int) -> list[np.ndarray]:
    """The normalized symmetric matrix of each direction that has a pair."""
    found = []
    for step in DIRECTIONS:
        matrix = np.zeros((count, count))
        for place in product(*(range(n) for n in levels.shape)):
            other = tuple(np.add(place, step))
            if all(0 <= p < n for p, n in zip(other, levels.shape, strict=True)) and levels[place] and levels[other]:
                matrix[levels[place] - 1, levels[other] - 1] += 1
                matrix[levels[other] - 1, levels[place] - 1] += 1
        if matrix.any():
            found.append(matrix / matrix.sum())
    return found


def entropy(p: np.ndarray) -> float:
    return float(-(p[p > 0] * np.log2(p[p > 0])).sum())


def features(p: np.ndarray) -> list[float]:
    """The 25 features of a matrix as the standard defines them."""
    count = len(p)
    i, j = np.meshgrid(np.arange(1, count + 1), np.arange(1, count + 1), indexing="ij")
    d = np.abs(i - j)
    of_d = np.array([p[d == k].sum() for k in range(count)])
    of_s = np.array([p[i + j == k].sum() for k in range(2, 2 * count + 1)])
    k, s = np.arange(count), np.arange(2, 2 * count + 1)
    of_one = p.sum(axis=1)
    mean, both = (i * p).sum(), np.outer(of_one, of_one)
    variance = ((i - mean) ** 2 * p).sum()
    h, h1 = entropy(p), entropy(of_one)
    h_mixed = -(p[both > 0] * np.log2(both[both > 0])).sum()
    return [
        p.max(),
        mean,
        variance,
        h,
        (k * of_d).sum(),
        ((k - (k * of_d).sum()) ** 2 * of_d).sum(),
        entropy(of_d),
        (s * of_s).sum(),
        ((s - (s * of_s).sum()) ** 2 * of_s).sum(),
        entropy(of_s),
        (p**2).sum(),
        (d**2 * p).sum(),
        (d * p).sum(),
        (p / (1 + d)).sum(),
        (p / (1 + d / count)).sum(),
        (p / (1 + d**2)).sum(),
        (p / (1 + d**2 / count**2)).sum(),
        (p[d > 0] / d[d > 0] ** 2).sum(),
        ((i - mean) * (j - mean) * p).sum() / variance if variance > 1e-12 else 1.0,
        (i * j * p).sum(),
        ((i + j - 2 * mean) ** 2 * p).sum(),
        ((i + j - 2 * mean) ** 3 * p).sum(),
        ((i + j - 2 * mean) ** 4 * p).sum(),
        (h - h_mixed) / h1 if h1 > 0 else 0.0,
        np.sqrt(max(1 - np.exp(-2 * (entropy(both) - h)), 0.0)),
    ]


def around(array: np.ndarray, place: tuple[int, ...], radius: int) -> np.ndarray:
    return array[tuple(slice(max(0, p - radius), p + radius + 1) for p in place)]


def scene(seed: int = 0) -> tuple[np.ndarray, np.ndarray, Levels]:
    """Smooth noise, and a mask with holes and ragged faces that reaches the image's border."""
    rng = np.random.default_rng(seed)
    image = rng.normal(size=(5, 6, 7)).cumsum(axis=2)
    mask = rng.random(image.shape) < 0.7
    return image, mask, discretize(image, mask, BINS)


def maps(image: np.ndarray, mask: np.ndarray, levels: Levels, **options: int) -> dict[str, np.ndarray]:
    return dict(voxel_maps(image, levels, mask, ALL, **options))


@pytest.mark.parametrize("radius", [1, 2])
def test_co_occurrence_is_that_of_the_matrices_of_each_neighbourhood(radius: int) -> None:
    image, mask, levels = scene()
    found = maps(image, mask, levels, radius=radius)
    for place in map(tuple, np.argwhere(mask)):
        expected = np.mean([features(p) for p in matrices(around(levels.array, place, radius), levels.count)], axis=0)
        ours = [found[name][place] for name in CO_OCCURRENCE]
        np.testing.assert_allclose(ours, expected, rtol=1e-5, atol=1e-6, err_msg=f"{place}")


def test_statistics_are_those_of_the_voxels_of_the_mask_around() -> None:
    from scipy import stats

    image, mask, levels = scene(1)
    found = maps(image, mask, levels)
    for place in map(tuple, np.argwhere(mask)):
        counted = around(mask, place, 1)
        x, bins = around(image, place, 1)[counted], around(levels.array, place, 1)[counted]
        expected = [
            x.mean(),
            x.var(),
            stats.skew(x),
            stats.kurtosis(x),
            np.median(x),
            x.min(),
            x.max(),
            entropy(np.bincount(bins) / bins.size),
        ]
        np.testing.assert_allclose([found[name][place] for name in STATISTICS], expected, rtol=1e-5, atol=1e-6)


def test_the_corner_of_a_checkerboard_is_known_by_hand() -> None:
    """2×2×2 voxels of levels 1 and 2: faces and the space diagonals differ, the others are alike."""
    levels = np.indices((2, 2, 2)).sum(axis=0).astype(np.int32) % 2 + 1
    found = maps(levels.astype(float), levels > 0, Levels(levels, 2, 0.5, 1.0))
    differing = (3 + 4) / 13
    for place in product((0, 1), repeat=3):
        assert found["glcm.contrast"][place] == pytest.approx(differing)
        assert found["glcm.inverse_difference"][place] == pytest.approx(1 - differing / 2)
        assert found["first_order.entropy"][place] == 1


def test_maps_are_nan_outside_and_nowhere_else() -> None:
    image = np.random.default_rng(0).normal(size=(6, 6, 6))
    mask = np.zeros(image.shape, bool)
    mask[1:5, 2:6, :4] = True
    found = maps(image, mask, discretize(image, mask, BINS))
    assert list(found) == list(ALL)
    for values in found.values():
        assert values.dtype == np.float32
        assert np.array_equal(np.isfinite(values), mask)


def test_a_voxel_without_neighbour_has_statistics_and_no_co_occurrence() -> None:
    image = np.full((3, 3, 3), 7.0)
    mask = np.zeros(image.shape, bool)
    mask[1, 1, 1] = True
    found = maps(image, mask, discretize(image, mask, BINS))
    assert [found[name][1, 1, 1] for name in STATISTICS] == [7, 0, 0, 0, 7, 7, 7, 0]
    assert all(np.isnan(found[name]).all() for name in CO_OCCURRENCE)


def test_a_constant_neighbourhood_has_no_disorder_and_is_fully_correlated() -> None:
    image = np.full((4, 4, 4), 3.0)
    mask = np.ones(image.shape, bool)
    found = {name.split(".")[1]: values for name, values in maps(image, mask, discretize(image, mask, BINS)).items()}
    for name in ("joint_entropy", "sum_entropy", "difference_entropy", "contrast", "joint_variance", "cluster_shade"):
        assert (found[name] == 0).all()
    for name in ("information_correlation_1", "information_correlation_2", "inverse_variance"):
        assert (found[name] == 0).all()
    for name in ("correlation", "joint_maximum", "angular_second_moment", "inverse_difference"):
        assert (found[name] == 1).all()


def test_one_slice_has_the_directions_of_the_plane() -> None:
    image = np.random.default_rng(0).normal(size=(1, 5, 5))
    mask = np.ones(image.shape, bool)
    levels = discretize(image, mask, BINS)
    expected = np.mean([features(p) for p in matrices(around(levels.array, (0, 2, 2), 1), levels.count)], axis=0)
    assert maps(image, mask, levels)["glcm.joint_entropy"][0, 2, 2] == pytest.approx(expected[3], rel=1e-6)


def test_threads_do_not_change_a_bit() -> None:
    image, mask, levels = scene(2)
    one, three = maps(image, mask, levels, threads=1), maps(image, mask, levels, threads=3)
    assert all(one[name].tobytes() == three[name].tobytes() for name in ALL)


def case() -> tuple[Volume, CandidateSet]:
    """An oblique image with two overlapping candidates."""
    array = np.random.default_rng(0).normal(size=(8, 9, 10)).astype(np.float32)
    tilted = ((0.0, 0.6, 0.8), (0.0, -0.8, 0.6), (1.0, 0.0, 0.0))
    image = Volume(array, (2.0, 1.0, 1.0), (5.0, 6.0, 7.0), tilted, "HU")
    boxes = [(slice(2, 5), slice(2, 6), slice(2, 6)), (slice(3, 7), slice(4, 7), slice(4, 8))]
    pieces = [Piece("blob", 1.0, box, np.ones(tuple(s.stop - s.start for s in box), bool)) for box in boxes]
    return image, CandidateSet.from_pieces(pieces, array, voxel_ml=0.002, scores=[0.0, 0.0])


def settings(**options: object) -> Settings:
    return Settings.model_validate({"maps": {"names": ["first_order.mean", "glcm.contrast"], **options}})


def test_the_mask_of_a_case_is_the_union_of_its_candidates() -> None:
    image, candidates = case()
    union = candidates.full_mask(0, image.shape) | candidates.full_mask(1, image.shape)
    found = dict(maps_of_case(image, candidates, settings()))
    expected = dict(voxel_maps(image.array, discretize(image.array, union, Discretization()), union, ALL))
    for name, unit in (("first_order.mean", "HU"), ("glcm.contrast", "arbitrary")):
        np.testing.assert_array_equal(found[name].array, expected[name])
        assert (found[name].unit, found[name].origin_mm, found[name].direction) == (
            unit,
            image.origin_mm,
            image.direction,
        )


def test_unmasked_neighbourhoods_look_beyond_the_mask() -> None:
    image, candidates = case()
    found = dict(maps_of_case(image, candidates, settings(masked=False)))["first_order.mean"].array
    assert found[2, 2, 2] == pytest.approx(image.array[1:4, 1:4, 1:4].mean(), rel=1e-6)
    assert np.isnan(found[1, 2, 2])


def test_maps_lie_on_the_grid_of_the_features() -> None:
    image, candidates = case()
    on_grid = Settings.model_validate({"maps": {"names": ["first_order.mean"]}, "interpolation": {"spacing_mm": 1.0}})
    [(_, found)] = maps_of_case(image, candidates, on_grid)
    assert found.spacing_mm == (1.0, 1.0, 1.0)
    assert found.shape == (16, 9, 10)
    centre, old_centre = (np.array(found.shape) - 1) / 2, (np.array(image.shape) - 1) / 2
    np.testing.assert_allclose(found.to_world_mm(centre), image.to_world_mm(old_centre))


def test_without_candidates_or_names_there_are_no_maps() -> None:
    image, candidates = case()
    none = CandidateSet.from_pieces([], image.array, voxel_ml=1.0, scores=[])
    assert list(maps_of_case(image, none, settings())) == []
    assert list(maps_of_case(image, candidates, Settings())) == []


def test_where_resegmentation_leaves_nothing_maps_are_nan() -> None:
    image, candidates = case()
    nothing = Settings.model_validate(
        {"maps": {"names": ["first_order.mean", "glcm.contrast"]}, "resegmentation": {"lowest": 1e6}}
    )
    found = dict(maps_of_case(image, candidates, nothing))
    assert len(found) == 2
    assert all(np.isnan(values.array).all() for values in found.values())


def test_an_unknown_or_repeated_map_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"no map glcm\.contrats; choose from: .*glcm\.contrast"):
        MapSettings(names=("glcm.contrats",))
    with pytest.raises(ValidationError, match="each map once"):
        MapSettings(names=("glcm.contrast", "glcm.contrast"))
