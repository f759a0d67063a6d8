"""Band-pass on cosines whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError
from scipy import ndimage

from tasks.imaging.fourier.band_pass import RollOff, Settings, band_pass


def cosine(periods: int, n: int = 64) -> np.ndarray:
    """Mirrors into itself at both ends: an eigenfunction of the filter; ``periods / n`` cycles per voxel."""
    return np.broadcast_to(np.cos(2 * np.pi * periods * (np.arange(n) + 0.5) / n), (8, n)).copy()


@pytest.mark.parametrize("roll_off", ["butterworth", "gaussian"])
def test_the_gain_at_either_cut_is_one_half(roll_off: RollOff) -> None:
    wave = cosine(8)  # at 2 mm: 8 / 128 = 0.0625 cycles/mm
    for cuts in ((None, 0.0625), (0.0625, None)):
        result = band_pass(
            wave, spacing_mm=(1.0, 2.0), low_cut_per_mm=cuts[0], high_cut_per_mm=cuts[1], roll_off=roll_off
        )
        assert np.allclose(result, wave / 2, atol=1e-12)


@pytest.mark.parametrize("order", [1, 2, 4])
def test_butterworth_falls_as_its_formula_says(order: int) -> None:
    wave = cosine(16)
    result = band_pass(wave, spacing_mm=(1.0, 1.0), low_cut_per_mm=None, high_cut_per_mm=0.125, order=order)
    assert np.allclose(result, wave / (1 + 2.0 ** (2 * order)), atol=1e-12)


def test_a_low_cut_takes_the_mean_away_and_a_high_cut_keeps_it() -> None:
    image = np.random.default_rng(0).normal(100, 5, (12, 20, 18)).astype(np.float32)
    low = band_pass(image, spacing_mm=(3.0, 1.0, 1.0), low_cut_per_mm=0.05, high_cut_per_mm=None)
    high = band_pass(image, spacing_mm=(3.0, 1.0, 1.0), low_cut_per_mm=None, high_cut_per_mm=0.05)
    assert abs(low.mean()) < 1e-3
    assert high.mean() == pytest.approx(image.mean(), rel=1e-5)
    assert low.dtype == np.float32


def test_what_is_taken_from_below_and_from_above_makes_the_image() -> None:
    image = np.random.default_rng(1).normal(size=(20, 30))
    parts = [
        band_pass(image, spacing_mm=(1.0, 0.7), low_cut_per_mm=low, high_cut_per_mm=high)
        for low, high in ((None, 0.1), (0.1, None))
    ]
    assert np.allclose(sum(parts), image)


def test_gaussian_roll_off_is_a_gaussian_with_mirrored_borders() -> None:
    image = np.random.default_rng(2).normal(size=(60, 50))
    sigma = np.sqrt(2 * np.log(2)) / (2 * np.pi * 0.1)
    result = band_pass(image, spacing_mm=(1.0, 1.0), low_cut_per_mm=None, high_cut_per_mm=0.1, roll_off="gaussian")
    assert np.abs(result - ndimage.gaussian_filter(image, sigma, mode="reflect", truncate=8)).max() < 1e-3


def test_one_side_of_the_image_does_not_leak_into_the_opposite_one() -> None:
    image = np.zeros((32, 64))
    image[:, :8] = 100.0
    result = band_pass(image, spacing_mm=(1.0, 1.0), low_cut_per_mm=None, high_cut_per_mm=0.1, roll_off="gaussian")
    assert np.abs(result[:, -8:]).max() < 1e-3


def test_a_filter_is_alike_in_all_directions_in_mm_on_uneven_spacing() -> None:
    coarse, fine = np.zeros((33, 33)), np.zeros((65, 33))
    coarse[16, 16], fine[32, 16] = 1.0, 2.0
    on_coarse, on_fine = (
        band_pass(image, spacing_mm=spacing, low_cut_per_mm=None, high_cut_per_mm=0.08, roll_off="gaussian")
        for image, spacing in ((coarse, (1.0, 1.0)), (fine, (0.5, 1.0)))
    )
    assert np.allclose(on_fine[::2], on_coarse, rtol=0.03, atol=1e-4)


@pytest.mark.parametrize(
    "wrong", [{"low_cut_per_mm": None, "high_cut_per_mm": None}, {"low_cut_per_mm": 0.3}, {"low_cut_per_mm": -1.0}]
)
def test_what_is_no_band_is_refused(wrong: dict[str, float | None]) -> None:
    with pytest.raises(ValidationError):
        Settings(**wrong)
