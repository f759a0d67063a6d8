"""Spectra of gratings of known frequency and direction."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import ndimage

from tasks.extract.families.fourier import BANDS_PER_M, Settings, compute, features, margin_mm
from tasks.extract.region import Region
from tasks.imaging.spectrum.cross_slices import BANDS_PER_MM
from tasks.imaging.spectrum.directions import direction_shares

TIGHT = Settings(context=1.0)


def grating(period_mm: float, degrees: float, spacing: tuple = (2.0, 1.0, 1.0), side_mm: float = 64.0) -> np.ndarray:
    y, x = (np.arange(round(side_mm / s)) * s for s in spacing[1:])
    turn = np.deg2rad(degrees)
    wave = np.cos(2 * np.pi / period_mm * (np.cos(turn) * x + np.sin(turn) * y[:, None]))
    return np.repeat(wave[None], 5, axis=0)


def described(image: np.ndarray, spacing: tuple = (2.0, 1.0, 1.0), settings: Settings = TIGHT) -> dict[str, float]:
    return compute(Region(image, np.ones(image.shape, bool), spacing, "HU"), settings)


def test_the_names_stand_for_the_bands_that_are_measured() -> None:
    assert tuple(edge / 1000 for edge in BANDS_PER_M) == BANDS_PER_MM
    assert not any("." in name for name in features(Settings(sectors=8)))


@pytest.mark.parametrize("spacing", [(2.0, 1.0, 1.0), (3.0, 0.5, 0.8)])
@pytest.mark.parametrize(("period", "band"), [(24.0, "30_60"), (12.0, "60_120"), (6.0, "120_240"), (3.0, "240_480")])
def test_the_power_of_a_grating_lies_in_its_band_and_direction(period: float, band: str, spacing: tuple) -> None:
    for degrees in (0, 30, 60, 90, 150):
        values = described(grating(period, degrees, spacing), spacing)
        assert values[f"power_{band}_per_m"] > 0.9
        assert values["centroid"] == pytest.approx(1 / period, rel=0.07)
        # With few periods in the box a direction is not sharp.
        assert values[f"direction_{degrees}deg"] > (0.95 if period < 10 else 0.6)
        assert values["direction_entropy"] < (0.2 if period < 10 else 0.7)
        assert values["anisotropy"] > 0.7


def test_a_quarter_turn_moves_the_power_by_half_the_sectors() -> None:
    image = np.random.default_rng(0).normal(size=(3, 32, 32))
    shares, turned = (
        direction_shares(i, spacing_mm=(1.0, 1.0, 1.0), sectors=6) for i in (image, np.rot90(image, axes=(1, 2)))
    )
    assert shares.sum() == pytest.approx(1.0)
    # Where the spectrum ends, one of two mirror frequencies is kept: they change sides.
    np.testing.assert_allclose(turned, np.roll(shares, 3), atol=0.02)


def test_noise_has_no_direction_and_slices_of_their_own() -> None:
    values = described(np.random.default_rng(1).normal(size=(5, 64, 64)))
    assert values["direction_entropy"] > 0.98
    assert values["coherence_120_240_per_m"] < 0.15
    same = described(np.repeat(ndimage.gaussian_filter(np.random.default_rng(2).normal(size=(1, 64, 64)), 1), 5, 0))
    assert same["coherence_120_240_per_m"] > 0.99
    assert same["slice_shift"] == 0


def test_shift_and_scale_of_intensities_change_nothing() -> None:
    image = ndimage.gaussian_filter(np.random.default_rng(3).normal(size=(4, 30, 34)), 1)
    assert described(-4.0 * image + 100) == pytest.approx(described(image), rel=1e-6, abs=1e-9)


def test_what_lies_beyond_the_familys_own_box_is_not_seen() -> None:
    image = np.random.default_rng(4).normal(size=(20, 60, 60))
    mask = np.zeros(image.shape, bool)
    mask[8:12, 24:36, 24:36] = True
    assert margin_mm((8.0, 12.0, 12.0), Settings()) == (2.0, 3.0, 3.0)
    cut = (slice(7, 13), slice(21, 39), slice(21, 39))
    whole, alone = (
        compute(Region(image[at], mask[at], (2.0, 1.0, 1.0), "HU"), Settings()) for at in (slice(None), cut)
    )
    assert whole == alone


def test_one_slice_says_nothing_of_coherence_and_a_constant_has_no_power() -> None:
    values, infos = described(np.full((1, 9, 9), 5.0)), features(TIGHT)
    assert list(values) == list(infos)
    undefined = {name for name, value in values.items() if math.isnan(value)}
    assert undefined == {name for name, info in infos.items() if info.nan_when}
    assert all(value == 0 for name, value in values.items() if name not in undefined)
    assert all(math.isfinite(value) for value in described(np.ones((3, 1, 1))).values())
