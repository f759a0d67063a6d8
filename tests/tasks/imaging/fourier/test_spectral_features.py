"""Spectral features of textures whose spectrum is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from tasks.imaging.spectrum.features import spectral_features

SPACING = (1.0, 1.0)


def waves(period_mm: float, degrees: float = 0.0, spacing: tuple[float, float] = SPACING) -> np.ndarray:
    y, x = (np.arange(int(96 / s)) * s for s in spacing)
    turn = np.deg2rad(degrees)
    return np.asarray(np.cos(2 * np.pi / period_mm * (np.cos(turn) * x + np.sin(turn) * y[:, None])))


@pytest.mark.parametrize("spacing", [(1.0, 1.0), (0.5, 0.75)])
@pytest.mark.parametrize(("period", "band"), [(24.0, "0.03_0.06"), (12.0, "0.06_0.12"), (6.0, "0.12_0.24")])
def test_the_power_lies_in_the_band_of_the_waves(period: float, band: str, spacing: tuple[float, float]) -> None:
    found = spectral_features(waves(period, 30, spacing), spacing_mm=spacing)
    assert found[f"power_{band}"] > 0.95
    assert found["centroid_per_mm"] == pytest.approx(1 / period, rel=0.05)


def test_waves_have_a_direction_and_noise_has_none() -> None:
    noise = np.random.default_rng(0).normal(size=(128, 128))
    for degrees in (0, 45, 110):
        assert spectral_features(waves(8.0, degrees), spacing_mm=SPACING)["anisotropy"] > 0.95
    found = spectral_features(noise, spacing_mm=SPACING)
    assert found["anisotropy"] < 0.05
    assert found["entropy"] > 0.9
    assert abs(found["slope"]) < 0.3


def test_texture_whose_power_falls_with_the_square_has_slope_minus_2() -> None:
    frequency = np.hypot(np.fft.fftfreq(256)[:, None], np.fft.fftfreq(256))
    frequency[0, 0] = np.inf
    texture = np.fft.ifft2(np.fft.fft2(np.random.default_rng(1).normal(size=(256, 256))) / frequency).real
    assert spectral_features(texture, spacing_mm=SPACING)["slope"] == pytest.approx(-2, abs=0.3)


def test_slices_that_go_on_are_coherent_and_others_are_not() -> None:
    rng = np.random.default_rng(2)
    same = np.repeat(ndimage.gaussian_filter(rng.normal(size=(1, 48, 48)), 1), 5, axis=0)
    other = rng.normal(size=(5, 48, 48))
    given = {"spacing_mm": (2.0, 1.0, 1.0)}
    assert spectral_features(same, **given)["coherence_0.12_0.24"] > 0.99
    assert spectral_features(other, **given)["coherence_0.12_0.24"] < 0.15
    assert spectral_features(same, **given)["shift_mm"] == 0


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 2, 2), (4, 16, 16), (9, 7)])
def test_a_constant_or_tiny_region_has_features_that_are_numbers(shape: tuple[int, ...]) -> None:
    for region in (np.full(shape, 7.0), np.random.default_rng(3).normal(size=shape)):
        assert np.isfinite(list(spectral_features(region, spacing_mm=(1.0,) * len(shape)).values())).all()
