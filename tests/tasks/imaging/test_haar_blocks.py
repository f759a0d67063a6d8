"""Blocks of fixed size: value and direction of steps that can be seen by eye."""

from __future__ import annotations

import numpy as np
import pytest
import pywt

from tasks.imaging.haar_blocks import haar_blocks


def test_a_step_of_6_across_x_has_value_3_and_points_along_x() -> None:
    image = np.zeros((4, 8))
    image[:, 2:4] = 6.0  # the left block: a step in its middle; the right block is empty
    found = haar_blocks(image, 4)
    assert found.value.tolist() == [[3.0, 0.0]]
    assert found.direction[0, 0].tolist() == [0.0, 1.0]
    assert np.isnan(found.direction[0, 1]).all()


def test_a_ramp_points_where_it_rises_in_all_three_axes() -> None:
    z, y, x = np.indices((6, 6, 6))
    found = haar_blocks(2.0 * z - 1.0 * y + 2.0 * x, 6)
    # Halves of six voxels have centres three apart: half of three times the slope.
    assert found.responses["two_y"][0, 0, 0] == pytest.approx(-1.5)
    assert found.direction[0, 0, 0] == pytest.approx([2 / 3, -1 / 3, 2 / 3])
    assert found.value[0, 0, 0] == pytest.approx(1.5 * 3.0)


def test_two_four_and_eight_boxes_are_one_step_of_the_haar_transform() -> None:
    image = np.random.default_rng(0).normal(size=(6, 8, 4))
    found = haar_blocks(image, 2, ("four_yx", "four_zx", "four_zy", "eight"))
    theirs = pywt.dwtn(image, "haar")
    names = {
        "two_x": "aad",
        "two_y": "ada",
        "two_z": "daa",
        "four_yx": "add",
        "four_zx": "dad",
        "four_zy": "dda",
        "eight": "ddd",
    }
    for ours, name in names.items():
        # PyWavelets takes the nearer half as positive, and scales by the root of the 8 voxels.
        assert found.responses[ours] == pytest.approx(-theirs[name] / 8**0.5, abs=1e-12)


def test_the_middle_one_of_three_boxes_counts_twice() -> None:
    image = np.tile(np.repeat([0.0, 4.0, 0.0], 2), (6, 1))
    assert haar_blocks(image, 6, ("three_x",)).responses["three_x"][0, 0] == pytest.approx(2 * 4.0 / 3)
    assert haar_blocks(image + 7.0, 6, ("three_x",)).responses["three_x"][0, 0] == pytest.approx(2 * 4.0 / 3)


def test_what_fills_no_block_is_not_looked_at() -> None:
    image = np.random.default_rng(1).normal(size=(9, 10))
    more = image.copy()
    more[8:], more[:, 8:] = np.inf, np.nan
    assert np.array_equal(haar_blocks(more, 4).value, haar_blocks(image, 4).value)
    assert haar_blocks(image, 4).value.shape == (2, 2)
    assert haar_blocks(image, 16).value.shape == (0, 0)


def test_a_turned_image_has_turned_directions() -> None:
    image = np.random.default_rng(2).normal(size=(8, 8, 8))
    one, turned = haar_blocks(image, 4), haar_blocks(image.transpose(2, 0, 1), 4)
    assert turned.value == pytest.approx(one.value.transpose(2, 0, 1))
    assert turned.direction == pytest.approx(one.direction.transpose(2, 0, 1, 3)[..., [2, 0, 1]])


def test_a_block_that_cannot_be_divided_is_refused() -> None:
    with pytest.raises(ValueError, match="a block of 4 voxels cannot be divided"):
        haar_blocks(np.zeros((8, 8)), 4, ("three_x",))
    with pytest.raises(ValueError, match="a block of 5 voxels cannot be divided"):
        haar_blocks(np.zeros((10, 10)), 5)
    with pytest.raises(ValueError, match="no pattern 'six_x'"):
        haar_blocks(np.zeros((8, 8)), 4, ("six_x",))
