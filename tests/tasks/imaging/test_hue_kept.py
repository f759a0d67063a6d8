"""A new luminance leaves the hue alone and stays between black and white."""

from __future__ import annotations

import colorsys
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from tasks.imaging.hue_kept import on_luminance, white_of, with_luminance
from tasks.imaging.luminance import luminance

RGB = np.random.default_rng(0).uniform(20, 255, (12, 10, 3)).astype(np.float32)


def hues(rgb: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    return np.array([colorsys.rgb_to_hsv(*(float(c) for c in pixel))[0] for pixel in rgb.reshape(-1, 3)])


@pytest.mark.parametrize("gain", [0.3, 1.0, 1.8])
def test_hue_stays_and_luminance_is_what_was_asked_for(gain: float) -> None:
    wanted = np.minimum(luminance(RGB, 2) * gain, 255)
    result = on_luminance(RGB, 2, lambda grey: grey * gain, white=255.0)
    assert np.allclose(luminance(result, 2), wanted, rtol=1e-4)
    assert (result.min() >= 0, result.max() <= 255) == (True, True)
    coloured = np.ptp(result, axis=-1).ravel() > 2  # white has no hue
    turned = np.abs(hues(result) - hues(RGB))[coloured]
    assert np.minimum(turned, 1 - turned).max() < 2e-3


def test_black_becomes_grey_and_not_a_colour() -> None:
    black = np.array([[[1.0, 0.0, 1.0]]], np.float32)
    result = with_luminance(black, luminance(black, 2), np.array([[100.0]], np.float32), 255.0, 255.0)
    assert np.ptp(result) < 20
    nothing = np.zeros((1, 1, 3), np.float32)
    assert np.allclose(on_luminance(nothing, 2, lambda grey: grey + 50, white=255.0), 50)


def test_a_grey_image_is_given_to_the_function_as_it_is() -> None:
    grey = np.arange(6, dtype=np.int16).reshape(2, 3)
    assert np.array_equal(on_luminance(grey, 2, lambda g: g * 2, white=1.0), grey * 2.0)


@pytest.mark.parametrize(("maximum", "white"), [(0.0, 1.0), (1.0, 1.0), (200.0, 255.0), (4000.0, 65535.0), (1e5, 1e5)])
def test_white_is_the_end_of_the_scale(maximum: float, white: float) -> None:
    assert white_of(maximum) == white
