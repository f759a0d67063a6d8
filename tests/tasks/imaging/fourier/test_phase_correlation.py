"""Shifts that are known, and those of scikit-image."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage
from skimage.registration import phase_cross_correlation

from tasks.imaging.spectrum.phase_correlation import phase_correlation


def texture(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    image = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=shape), 1.5, mode="wrap")
    return np.asarray(np.round(1000 * image / image.std()), dtype=np.int16)


def moved_by(image: np.ndarray, shift: tuple[float, ...]) -> np.ndarray:
    """By the linear phase of the shift: exact, and periodic."""
    return np.asarray(np.fft.ifftn(ndimage.fourier_shift(np.fft.fftn(image), shift)).real)


@pytest.mark.parametrize(
    ("shape", "shift"),
    [((64, 50), (5, -7)), ((63, 51), (-31, 25)), ((12, 40, 30), (2, -9, 14)), ((1, 40, 30), (0, 3, -4))],
)
def test_a_shift_by_whole_voxels_is_found_exactly(shape: tuple[int, ...], shift: tuple[int, ...]) -> None:
    image = texture(shape)
    found = phase_correlation(np.roll(image, shift, range(len(shape))), image)
    assert found.voxels == shift
    assert found.peak == pytest.approx(1.0, abs=1e-3)
    assert found.is_certain


@pytest.mark.parametrize("shift", [(2.3, -4.8), (0.05, 0.5), (-7.45, 6.15)])
def test_a_shift_between_voxels_is_found_to_the_step_of_the_finer_grid(shift: tuple[float, float]) -> None:
    image = texture((60, 77))
    found = phase_correlation(moved_by(image, shift), image, upsample=20)
    assert np.allclose(found.voxels, shift, atol=0.5 / 20 + 1e-9)


@pytest.mark.parametrize("upsample", [1, 10, 100])
@pytest.mark.parametrize(
    # Of an even length the highest frequency has no sign: half of it counts for either, where scikit-image takes one.
    ("shape", "tolerance"),
    [((49, 63), 0.0), ((63, 45), 0.0), ((11, 33, 27), 0.0), ((48, 64), 0.05), ((10, 32, 27), 0.05)],
)
def test_scikit_image_finds_the_same(shape: tuple[int, ...], tolerance: float, upsample: int) -> None:
    rng = np.random.default_rng(4)
    image = texture(shape)
    other = moved_by(image, (2.37, -3.81, 1.13)[-len(shape) :]) + rng.normal(0, 200, shape)
    ours = phase_correlation(other.astype(np.int16), image, upsample=upsample)
    theirs, _, _ = phase_cross_correlation(other.astype(np.int16), image, upsample_factor=upsample)
    assert np.allclose(ours.voxels, theirs, atol=1e-6 + tolerance + (upsample > 1) / upsample)


def test_brightness_contrast_and_inversion_do_not_matter() -> None:
    image = texture((40, 40)).astype(np.float32)
    other = np.roll(image, (3, 8), (0, 1))
    assert phase_correlation(0.2 * other + 700, image).voxels == (3, 8)
    assert phase_correlation(-other, image).voxels == (3, 8)


@pytest.mark.parametrize("seed", range(5))
def test_images_that_have_nothing_in_common_have_no_certain_shift(seed: int) -> None:
    rng = np.random.default_rng(seed)
    assert not phase_correlation(*rng.normal(size=(2, 128, 128))).is_certain


def test_constant_images_are_not_shifted_and_nothing_is_certain() -> None:
    found = phase_correlation(np.full((8, 8), 3.0), np.full((8, 8), 5.0), upsample=10)
    assert np.abs(found.voxels).max() <= 1
    assert not found.is_certain


def test_images_of_different_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"same shape; got \(4, 4\) and \(4, 5\)"):
        phase_correlation(np.ones((4, 4)), np.ones((4, 5)))
