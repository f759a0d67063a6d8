"""Stripes of known frequency on smooth and on rough grounds."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from tasks.imaging.fourier.notch import notch
from tasks.imaging.spectrum.periodic_noise import Frequency, find_peaks

SPACING = (0.8, 0.8)


def peaks_of(image: np.ndarray) -> list[Frequency]:
    return find_peaks(image, spacing_mm=SPACING, above_per_mm=0.05, threshold=5.0, most=16)


def ground(seed: int = 0, shape: tuple[int, int] = (150, 130)) -> np.ndarray:
    """Smooth structures and noise, no period."""
    rng = np.random.default_rng(seed)
    smooth = ndimage.gaussian_filter(rng.normal(size=shape), 4)
    disc = np.hypot(*(np.indices(shape) - np.reshape([n / 2 for n in shape], (2, 1, 1)))) < 45
    return np.asarray(300 * disc + 100 * smooth / smooth.std() + rng.normal(0, 10, shape))


def stripes(frequency: tuple[float, float], shape: tuple[int, int] = (150, 130)) -> np.ndarray:
    y, x = (i * s for i, s in zip(np.indices(shape), SPACING, strict=True))
    return np.asarray(np.cos(2 * np.pi * (frequency[0] * y + frequency[1] * x) + 0.7))


@pytest.mark.parametrize("frequency", [(0.0, 0.203), (0.3171, 0.0), (0.11, -0.27)])
def test_stripes_are_found_at_their_frequency_and_removed_to_the_borders(frequency: tuple[float, float]) -> None:
    clean, noise = ground(), 40 * stripes(frequency)
    peaks = peaks_of(clean + noise)
    assert len(peaks) == 1
    assert np.allclose(np.abs(peaks[0]), np.abs(frequency), atol=0.001)
    assert peaks[0][0] * peaks[0][1] * frequency[0] * frequency[1] >= 0
    left = notch(clean + noise, spacing_mm=SPACING) - clean
    assert left.std() < 0.15 * noise.std()
    assert left[:6].std() < 0.25 * noise.std()


@pytest.mark.parametrize("seed", range(5))
def test_where_nothing_repeats_nothing_is_found_and_nothing_changed(seed: int) -> None:
    image = ground(seed)
    assert peaks_of(image) == []
    assert np.array_equal(notch(image, spacing_mm=SPACING), image)


def test_given_frequencies_are_removed_without_a_search() -> None:
    wave = stripes((0.0, 0.2))
    result = notch(50 + wave, spacing_mm=SPACING, frequencies_per_mm=((0.0, 0.2),))
    assert np.abs(result - 50).max() < 0.05


def test_two_sets_of_stripes_are_both_removed() -> None:
    clean, noise = ground(3), 30 * stripes((0.0, 0.203)) + 30 * stripes((0.25, 0.1))
    assert (notch(clean + noise, spacing_mm=SPACING) - clean).std() < 0.2 * noise.std()


def test_each_slice_of_a_volume_has_its_own_stripes() -> None:
    volume = np.stack([ground(1), ground(2) + 40 * stripes((0.0, 0.203))])
    result = notch(volume, spacing_mm=(3.0, *SPACING))
    assert np.array_equal(result[0], volume[0])
    assert np.allclose(result[1], notch(volume[1], spacing_mm=SPACING))


def test_an_edge_is_a_ridge_of_the_spectrum_and_no_peak() -> None:
    table = np.zeros((128, 128))
    table[90:, :] = 500.0
    image = table + np.random.default_rng(0).normal(0, 5, table.shape)
    assert peaks_of(image) == []
