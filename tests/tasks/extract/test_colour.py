"""Colour features of pictures, and that no baseline sees them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tasks.evaluate.picture_baselines import FAMILIES
from tasks.extract.picture_families.colour import BINS, RANGES, Settings, colours_inside, features

ALL = np.ones((16, 16), bool)
INFO = features(Settings())


def colours(pixels: np.ndarray, mask: np.ndarray) -> dict[str, float]:
    return colours_inside(pixels, mask, Settings())


def picture(*colours: tuple[int, int, int]) -> np.ndarray:
    """Stripes of equal width."""
    return np.repeat(np.array(colours, dtype=np.uint8), 16 // len(colours), axis=0)[:, None].repeat(16, axis=1)


def test_each_histogram_adds_up_to_one_and_red_lies_in_its_bins() -> None:
    values = colours(picture((255, 0, 0), (255, 0, 0), (0, 0, 0), (0, 0, 0)), ALL)
    for space, channels in RANGES.items():
        for channel in channels:
            assert sum(values[f"{space}_{channel}_bin_{number}"] for number in range(BINS)) == pytest.approx(1)
    assert (values["rgb_r_bin_0"], values["rgb_r_bin_7"], values["rgb_r_mean"]) == (0.5, 0.5, 0.5)
    assert values["rgb_r_sd"] == 0.5
    assert values["hsv_h_mean"] == 0.0
    assert values["hsv_h_agreement"] == 1.0
    # Red is colour 2·9 of the correlogram, black 0.
    assert values["correlogram_18_1px"] > 0.8
    assert values["correlogram_05_1px"] == 0.0


def test_pixels_outside_of_the_mask_do_not_count() -> None:
    image = picture((200, 30, 40), (10, 220, 90))
    mask = np.zeros((16, 16), bool)
    mask[:8] = True
    alone = colours(image[:8], mask[:8])
    assert colours(image, mask) == pytest.approx(alone, nan_ok=True)


def test_where_pixels_are_matters_to_the_correlogram_and_asymmetry_alone() -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (16, 16, 3), dtype=np.uint8)
    mixed = rng.permutation(image.reshape(-1, 3)).reshape(16, 16, 3)
    one, other = colours(image, ALL), colours(mixed, ALL)
    differ = {name.split("_")[0] for name in one if one[name] != pytest.approx(other[name])}
    assert differ == {"correlogram", "asymmetry"}


def test_grey_has_no_hue_and_one_pixel_is_enough_for_the_rest() -> None:
    for values in (
        colours(picture((9, 9, 9)), ALL),
        colours(np.full((1, 1, 3), 9, np.uint8), ALL[:1, :1]),
    ):
        assert list(values) == list(INFO)
        undefined = {name for name, value in values.items() if math.isnan(value)}
        assert undefined == {"hsv_h_mean", "hsv_h_agreement"}
        assert all(INFO[name].nan_when for name in undefined)


def test_no_baselines_columns_are_colours() -> None:
    assert not any(f"colour.{name}".startswith(f"{family}.") for name in INFO for family in FAMILIES.values())
