"""Colours: stronger, turned, balanced, restained; and hairs taken off skin."""

from __future__ import annotations

import colorsys
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from tasks.imaging.catalog import step_named
from tasks.imaging.contrast.hair import find_hair
from tasks.imaging.contrast.stain import amounts
from tasks.imaging.contrast.white_balance import channel_gains
from tasks.imaging.luminance import luminance
from tasks.imaging.step import Step, View, apply_step, look

RNG = np.random.default_rng(0)
FLAT = (1.0, 1.0)
RGB = RNG.integers(0, 256, (30, 40, 3)).astype(np.uint8)


def step(name: str, **settings: Any) -> Step:
    return step_named(name)(**settings)


def test_no_saturation_is_grey_and_one_changes_nothing() -> None:
    grey = apply_step(step("saturation", factor=0.0), RGB, FLAT)
    assert np.allclose(grey, luminance(RGB, 2)[..., None], atol=1e-3)
    assert np.allclose(apply_step(step("saturation", factor=1.0), RGB, FLAT), RGB, atol=1e-3)


def test_stronger_colours_keep_luminance_and_stay_within_white() -> None:
    strong = apply_step(step("saturation", factor=5.0), RGB, FLAT)
    assert np.allclose(luminance(strong, 2), luminance(RGB, 2), atol=0.01)
    assert (strong.min() >= 0, strong.max() <= 255) == (True, True)
    assert np.ptp(strong, axis=-1).mean() > np.ptp(RGB.astype(float), axis=-1).mean()


def test_a_third_of_the_circle_makes_red_green() -> None:
    primary = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255]]], np.uint8)
    turned = apply_step(step("hue", degrees=120.0), primary, FLAT)
    assert np.allclose(turned, [[[0, 255, 0], [0, 0, 255], [255, 0, 0]]], atol=1e-3)


def test_turned_hues_equal_colorsys() -> None:
    turned = apply_step(step("hue", degrees=36.0), RGB, FLAT) / 255
    for pixel, result in zip(RGB[0] / 255, turned[0], strict=True):
        h, s, v = colorsys.rgb_to_hsv(*(float(c) for c in pixel))
        assert np.allclose(colorsys.hsv_to_rgb((h + 0.1) % 1, s, v), result, atol=1e-5)


@pytest.mark.parametrize("norm", [1.0, 6.0])
def test_coloured_light_is_taken_out(norm: float) -> None:
    grey = RNG.uniform(20, 150, (30, 30, 1)) * np.ones(3)
    balanced = apply_step(step("white_balance", norm=norm), grey * [1.3, 1.0, 0.6], FLAT)
    assert np.ptp(balanced, axis=-1).max() < 1e-6
    assert luminance(balanced, 2).mean() == pytest.approx(luminance(grey * [1.3, 1.0, 0.6], 2).mean())


def test_the_grey_world_makes_the_channels_means_equal() -> None:
    balanced = apply_step(step("white_balance", norm=1.0), RGB[..., :3] * np.array([0.5, 0.7, 0.3]), FLAT)
    assert np.ptp(balanced.mean(axis=(0, 1))) < 1e-6


def test_a_channel_without_light_is_left_dark() -> None:
    assert channel_gains([100.0, 0.0, 50.0])[1] == 1.0


def test_stains_become_as_strong_as_asked_for() -> None:
    from skimage.color import combine_stains, rgb_from_hed

    # Strong enough for each to be seen, weak enough for no colour to be black.
    stains = np.stack([RNG.uniform(0.02, high, (40, 40)) for high in (0.10, 0.08, 0.06)], axis=-1)
    weak, strong = (combine_stains(stains * gain, rgb_from_hed) * 255 for gain in (1.0, 1.5))
    found = look(step("stain"), strong, View.of(strong, FLAT)).measured["strong"]
    assert found == pytest.approx(np.quantile(stains * 1.5, 0.99, axis=(0, 1)), rel=1e-3)
    assert np.allclose(apply_step(step("stain", strong=tuple(found)), weak, FLAT), strong, atol=0.5)
    assert np.allclose(amounts(weak, white=255.0), stains, atol=1e-4)


def skin() -> tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[np.bool_]]:
    """Skin with a mole, the same with hairs, and where these are."""
    from skimage.draw import line

    y, x = np.mgrid[:150, :160]
    mole = 90 / (1 + np.exp((np.hypot(y - 75, x - 80) - 35) / 3))
    bare = np.array([200.0, 150.0, 130.0]) - mole[..., None] + RNG.normal(0, 2, (150, 160, 1))
    hair = np.zeros((150, 160), bool)
    for ends in ((10, 10, 70, 150), (140, 20, 90, 155), (20, 120, 140, 130)):
        for shift in (-2, -1, 0, 1, 2):
            rows, columns = line(*ends)
            hair[np.clip(rows + shift, 0, 149), columns] = True
    return bare, np.where(hair[..., None], [40.0, 30.0, 25.0], bare), hair


def test_hairs_are_found_and_the_mole_stays() -> None:
    bare, hairy, hair = skin()
    found = find_hair(luminance(hairy, 2), spacing_mm=FLAT, width_mm=9.0, length_mm=31.0, darker=15.0)
    assert found[hair].mean() > 0.9
    cleared = apply_step(step("hair"), hairy, FLAT)
    assert np.abs(hairy - bare)[hair].mean() > 70
    assert np.median(np.abs(cleared - bare)[hair]) < 6
    assert np.array_equal(cleared[~found], hairy[~found])
    assert found[~hair].mean() < 0.12


def test_dots_are_no_hairs() -> None:
    bare, _, _ = skin()
    bare[::20, ::20] = 20.0
    bare[1::20, ::20] = 20.0
    assert np.array_equal(apply_step(step("hair"), bare, FLAT), bare)
