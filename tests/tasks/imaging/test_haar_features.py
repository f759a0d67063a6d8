"""Haar-like features: boxes by hand, by brute force, and scikit-image's."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from tasks.imaging.haar_features import HaarFeatures, Placed, haar_features, haar_like
from tasks.imaging.haar_patterns import OF_PICTURES, PATTERNS, box_weights

TYPES = ("type-2-x", "type-2-y", "type-3-x", "type-3-y", "type-4")
RNG = np.random.default_rng(0)


def value(block: Any, pattern: str, at: tuple[int, ...], size: tuple[int, ...], *, balanced: bool = False) -> float:
    array = np.asarray(block)
    feature = HaarFeatures.of(array.shape, [Placed(pattern=pattern, at=at, size=size)], balanced=balanced)
    return float(haar_like(array[None], feature)[0, 0])


def directly(block: Any, placed: Placed, *, balanced: bool) -> float:
    """Box by box, as the definition has it."""
    weights = box_weights(placed.pattern, balanced=balanced)
    weights = weights.reshape(weights.shape[3 - block.ndim :])
    total = 0.0
    for box, weight in np.ndenumerate(weights):
        low = [a + k * s for a, k, s in zip(placed.at, box, placed.size, strict=True)]
        total += weight * block[tuple(slice(a, a + s) for a, s in zip(low, placed.size, strict=True))].sum()
    return float(total)


def test_two_boxes_are_the_further_one_less_the_nearer_one() -> None:
    block = [[1, 2, 30, 40], [5, 6, 70, 80]]
    assert value(block, "two_x", (0, 0), (2, 2)) == 220 - 14
    assert value(block, "two_x", (1, 0), (1, 1)) == 6 - 5
    assert value(block, "two_y", (0, 1), (1, 3)) == 156 - 72


def test_three_boxes_are_the_middle_one_less_the_outer_ones_and_balanced_it_counts_twice() -> None:
    block = np.array([[1, 5, 2]])
    assert value(block, "three_x", (0, 0), (1, 1)) == 5 - 1 - 2
    assert value(block, "three_x", (0, 0), (1, 1), balanced=True) == 2 * 5 - 1 - 2
    assert value(block.T, "three_y", (0, 0), (1, 1)) == 5 - 1 - 2


def test_four_boxes_are_the_rising_diagonal_less_the_falling_one() -> None:
    assert value([[1, 10], [20, 3]], "four_yx", (0, 0), (1, 1)) == 30 - 4


def test_octants_with_an_odd_number_of_further_axes_count_as_positive() -> None:
    block = 2.0 ** np.arange(8).reshape(2, 2, 2)
    # zyx = 001, 010, 100 and 111 are positive: 2 + 4 + 16 + 128, less 1 + 8 + 32 + 64.
    assert value(block, "eight", (0, 0, 0), (1, 1, 1)) == 150 - 105
    assert value(np.kron(block, np.ones((2, 3, 1))), "eight", (0, 0, 0), (2, 3, 1)) == (150 - 105) * 6


@pytest.mark.parametrize(
    ("pattern", "size", "expected"),
    [
        ("two_z", (1, 2, 2), 240 - 15),
        ("four_zy", (1, 1, 2), 12 + 48 - 3 - 192),
        ("four_zx", (1, 2, 1), 10 + 80 - 5 - 160),
    ],
)
def test_patterns_across_slices_by_hand(pattern: str, size: tuple[int, ...], expected: float) -> None:
    assert value(2.0 ** np.arange(8).reshape(2, 2, 2), pattern, (0, 0, 0), size) == expected


@pytest.mark.parametrize("dtype", ["uint8", "float64"])
def test_all_features_of_a_picture_are_scikit_images_in_its_order(dtype: str) -> None:
    from skimage.feature import haar_like_feature
    from skimage.transform import integral_image

    blocks = (RNG.uniform(0, 256, (70, 13, 10))).astype(dtype)
    ours = haar_like(blocks)
    for number in (0, 69):
        theirs = haar_like_feature(integral_image(blocks[number]), 0, 0, 10, 13, list(TYPES))
        exact = dtype == "uint8"
        assert np.array_equal(ours[number], theirs) if exact else np.allclose(ours[number], theirs, rtol=0, atol=1e-9)


@pytest.mark.parametrize(("pattern", "theirs"), list(zip(OF_PICTURES, TYPES, strict=True)))
def test_a_pattern_lies_where_scikit_images_type_does(pattern: str, theirs: str) -> None:
    from skimage.feature import haar_like_feature_coord

    coordinates, _ = haar_like_feature_coord(6, 5, theirs)
    features = haar_features((5, 6), [pattern])
    assert len(features) == len(coordinates)
    for number, boxes in enumerate(coordinates):
        one = features.placed(number)
        (top, left), (bottom, right) = boxes[0]
        assert (one.at, one.size) == ((top, left), (bottom - top + 1, right - left + 1))


def test_a_block_of_24_has_the_162336_features_of_viola_and_jones() -> None:
    assert len(haar_features((24, 24))) == 162_336


@pytest.mark.parametrize("balanced", [False, True])
@pytest.mark.parametrize("shape", [(7, 6), (4, 5, 3), (1, 3, 6)])
def test_every_feature_is_the_sum_over_its_boxes(shape: tuple[int, ...], balanced: bool) -> None:
    blocks = RNG.normal(size=(3, *shape))
    features = haar_features(shape, balanced=balanced)
    values = haar_like(blocks, features)
    for number in range(0, len(features), 7):
        expected = directly(blocks[2], features.placed(number), balanced=balanced)
        assert values[2, number] == pytest.approx(expected, abs=1e-12)


def test_features_are_ordered_by_pattern_place_and_size() -> None:
    features = haar_features((4, 3, 5))
    keys = [
        (int(p), *a.tolist(), *s.tolist()) for p, a, s in zip(features.pattern, features.at, features.size, strict=True)
    ]
    assert keys == sorted(keys)
    assert len(set(keys)) == len(keys)


def test_limits_leave_out_places_and_sizes() -> None:
    everything, fewer = (
        haar_features((12, 12), ["two_x"]),
        haar_features((12, 12), ["two_x"], step=3, smallest=2, size_step=2),
    )
    kept = [
        n
        for n in range(len(everything))
        if all(a % 3 == 0 for a in everything.placed(n).at) and all(s % 2 == 0 for s in everything.placed(n).size)
    ]
    assert [everything.placed(n) for n in kept] == [fewer.placed(n) for n in range(len(fewer))]


def test_a_batch_is_each_block_by_itself_whatever_its_length() -> None:
    blocks = RNG.integers(0, 4000, (67, 8, 8)).astype(np.int16)
    features = haar_features((8, 8))
    values = haar_like(blocks, features)
    for number in (0, 31, 32, 63, 64, 66):
        assert np.array_equal(haar_like(blocks[number : number + 1], features)[0], values[number])


def test_threads_change_nothing_and_values_of_one_feature_lie_side_by_side() -> None:
    blocks = RNG.normal(size=(40, 9, 9))
    one, three = haar_like(blocks, threads=1), haar_like(blocks, threads=3)
    assert np.array_equal(one, three)
    assert one.flags.f_contiguous


def test_by_contrast_neither_brightness_nor_contrast_matter() -> None:
    block = RNG.normal(size=(6, 6))
    values = haar_like(np.stack([block, 40.0 * block - 1000.0]), by_contrast=True)
    assert values[1] == pytest.approx(values[0], abs=1e-12)
    # A step of ±1 has deviation 1: the halves differ by all of the block's voxels.
    step = np.repeat([[-1.0, 1.0]], 6, axis=0).repeat(3, axis=1)
    whole = HaarFeatures.of((6, 6), [Placed(pattern="two_x", at=(0, 0), size=(6, 3))])
    assert haar_like(step[None], whole, by_contrast=True)[0, 0] == pytest.approx(1.0)


def test_a_flat_block_has_no_contrast_and_no_balanced_feature() -> None:
    flat = np.full((1, 6, 6), 0.1)
    assert not haar_like(flat, by_contrast=True).any()
    assert haar_like(flat, haar_features((6, 6), balanced=True)) == pytest.approx(0.0, abs=1e-14)
    rounded = np.where(RNG.random((1, 6, 6)) < 0.5, 0.1, np.nextafter(0.1, 1.0))
    assert not haar_like(rounded, by_contrast=True).any()


def test_chosen_features_have_the_values_that_they_have_among_all() -> None:
    blocks, features = RNG.normal(size=(4, 5, 4, 4)), haar_features((5, 4, 4))
    numbers = [700, 3, 41]
    assert np.array_equal(haar_like(blocks, features.chosen(numbers)), haar_like(blocks, features)[:, numbers])


def test_features_survive_as_plain_data() -> None:
    for shape in ((5, 6), (3, 4, 5)):
        features = haar_features(shape)
        placed = [Placed.model_validate_json(features.placed(n).model_dump_json()) for n in range(len(features))]
        again = HaarFeatures.of(shape, placed)
        assert all(np.array_equal(getattr(again, name), getattr(features, name)) for name in ("pattern", "at", "size"))


def test_no_blocks_no_features_and_one_voxel_give_empty_tables() -> None:
    assert haar_like(np.zeros((0, 4, 4))).shape == (0, len(haar_features((4, 4))))
    assert haar_like(np.zeros((3, 1, 1))).shape == (3, 0)
    assert haar_like(np.zeros((3, 4, 4)), haar_features((4, 4), [])).shape == (3, 0)
    assert haar_like(np.zeros((3, 4, 4)), haar_features((4, 4)).chosen([])).shape == (3, 0)


def test_boxes_beyond_the_block_and_unknown_patterns_are_refused() -> None:
    for pattern, at, size in (("two_x", (0, 3), (1, 1)), ("two_x", (-1, 0), (1, 1)), ("two_x", (0,), (1,))):
        with pytest.raises(ValueError, match="boxes inside a block"):
            HaarFeatures.of((4, 4), [Placed(pattern=pattern, at=at, size=size)])
    for shape, pattern in (((4, 4), "two_z"), ((4, 4, 4), "five_x")):
        with pytest.raises(ValueError, match="no pattern"):
            haar_features(shape, [pattern])


def test_blocks_of_another_shape_and_limits_out_of_reason_are_refused() -> None:
    with pytest.raises(ValueError, match=r"blocks of \(4, 4\); got \(4, 5\)"):
        haar_like(np.zeros((1, 4, 5)), haar_features((4, 4)))
    with pytest.raises(ValueError, match="2 or 3 dimensions; got 1"):
        haar_like(np.zeros((4, 4)))
    with pytest.raises(ValueError, match="at least 1 voxel"):
        haar_features((4, 4), step=0)
    with pytest.raises(ValueError, match="expected at most"):
        haar_features((64, 64, 64), ["two_x"])


def test_every_pattern_weighs_neighbours_against_each_other() -> None:
    for name, weights in PATTERNS.items():
        assert weights.ravel()[0] == -1.0, name
        for axis, (a, b) in itertools.product(range(3), [(slice(1, None), slice(-1))]):
            index = [slice(None)] * 3
            one, other = index.copy(), index.copy()
            one[axis], other[axis] = a, b
            assert (weights[tuple(one)] == -weights[tuple(other)]).all(), name
