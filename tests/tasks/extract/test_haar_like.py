"""Blocks of cubes whose differences can be seen by eye."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from tasks.extract.families.haar_like import Settings, compute, features, margin_mm
from tasks.extract.region import Region

PLAIN = Settings(context=1.0, samples=4, blocks=1, smoothing_samples=0.0)
HALVES = Settings(context=1.0, samples=4, blocks=2, smoothing_samples=0.0)


def values(image: Any, settings: Settings = PLAIN, spacing: float = 1.0) -> dict[str, float]:
    array = np.asarray(image, dtype=np.float64)
    return compute(Region(array, np.ones(array.shape, bool), (spacing,) * 3, "HU"), settings)


def only(found: dict[str, float]) -> dict[str, Any]:
    return {name: pytest.approx(value) for name, value in found.items() if abs(value) > 1e-12}


def test_a_step_across_x_has_all_the_contrast_and_points_along_x() -> None:
    image = np.zeros((4, 4, 4))
    image[:, :, 2:] = 6.0  # deviation 3, which is half the difference of the halves
    name = "block_z0_y0_x0"
    assert only(values(image)) == {f"{name}_two_x": 1.0, f"{name}_value": 1.0, f"{name}_direction_x": 1.0}


def test_a_falling_step_across_z_points_backwards() -> None:
    image = np.zeros((4, 4, 4))
    image[:2] = 6.0
    found = values(image)
    assert found["block_z0_y0_x0_two_z"] == pytest.approx(-1.0)
    assert found["block_z0_y0_x0_direction_z"] == pytest.approx(-1.0)


def test_each_block_answers_for_itself() -> None:
    image = np.zeros((4, 4, 4))
    image[2:, :2, 3] = 8.0  # only the block that is last along z and x, and first along y
    found = values(image, HALVES)
    answering = {name.rsplit("_two", 1)[0] for name, value in found.items() if "two_x" in name and value}
    assert answering == {"block_z1_y0_x1"}
    # 4 of 64 samples are 8: variance 8² · (1/16) · (15/16); half the difference of the block's halves is 4.
    assert found["block_z1_y0_x1_value"] == pytest.approx(4.0 / math.sqrt(64 * 15 / 256))


def test_neither_brightness_nor_contrast_matter() -> None:
    image = np.random.default_rng(0).normal(size=(6, 7, 8))
    settings = Settings(kinds=("two", "three", "four", "eight"))
    assert values(5.0 * image + 300.0, settings) == pytest.approx(values(image, settings), abs=1e-9)


def test_a_mirrored_candidate_has_mirrored_blocks_and_turned_directions() -> None:
    image = np.random.default_rng(1).normal(size=(8, 8, 8))
    one, mirrored = values(image, HALVES), values(image[:, :, ::-1], HALVES)
    for block, other in (("z0_y1_x0", "z0_y1_x1"), ("z1_y0_x1", "z1_y0_x0")):
        assert mirrored[f"block_{other}_direction_x"] == pytest.approx(-one[f"block_{block}_direction_x"])
        assert mirrored[f"block_{other}_direction_y"] == pytest.approx(one[f"block_{block}_direction_y"])
        assert mirrored[f"block_{other}_value"] == pytest.approx(one[f"block_{block}_value"])


def test_a_cosine_triple_is_a_unit_vector() -> None:
    found = values(np.random.default_rng(2).normal(size=(9, 9, 9)), Settings())
    for name in (name for name in found if name.endswith("_value")):
        block = name.removesuffix("_value")
        assert math.hypot(*(found[f"{block}_direction_{axis}"] for axis in "zyx")) == pytest.approx(1.0)


@pytest.mark.parametrize("level", [0.0, 0.1, -1000.3])
def test_a_flat_cube_has_values_of_0_and_no_direction(level: float) -> None:
    rounded = np.where(np.random.default_rng(5).random((5, 6, 7)) < 0.5, level, np.nextafter(level, np.inf))
    for image in (np.full((5, 6, 7), level), rounded):
        found = values(image, Settings())
        assert all(math.isnan(v) if "direction" in name else v == 0.0 for name, v in found.items())


def test_one_voxel_and_one_slice_are_seen_with_their_surroundings() -> None:
    image = np.random.default_rng(3).normal(size=(1, 9, 9))
    mask = np.zeros(image.shape, bool)
    mask[0, 4, 4] = True
    found = compute(Region(image, mask, (3.0, 1.0, 1.0), "HU"), Settings())
    assert all(math.isfinite(v) for v in found.values())
    assert all(abs(v) < 1e-12 for name, v in found.items() if name.endswith("two_z"))


def test_by_default_there_are_88_columns_in_the_order_in_which_they_are_computed() -> None:
    image = np.random.default_rng(4).normal(size=(4, 4, 4))
    assert len(features(Settings())) == 88
    for settings in (Settings(), Settings(kinds=("three",), blocks=1), Settings(kinds=(), blocks=3)):
        assert list(features(settings)) == list(values(image, settings))


def test_the_margin_is_that_of_the_cube() -> None:
    # A cube of 1.5 × 16 mm: 4 mm beyond the largest side, and room for interpolation and smoothing of 1 mm samples.
    assert margin_mm((16.0, 16.0, 4.0), Settings(smoothing_samples=0.0)) == pytest.approx((5.0, 5.0, 11.0))


def test_blocks_that_cannot_be_divided_are_refused() -> None:
    with pytest.raises(ValidationError, match="multiple of 12 for 2 blocks of a side, each to be divided by 6; got 16"):
        Settings(samples=16, kinds=("two", "three"))
    with pytest.raises(ValidationError, match="each kind once; got two, two"):
        Settings(kinds=("two", "two"))
