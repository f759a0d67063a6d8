"""The spectral residual of pictures with one odd thing."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from tasks.imaging.fourier.spectral_residual import spectral_residual

GIVEN = {"pixel_mm": 2.0, "sigma_mm": 3.0}


def texture(seed: int = 0, shape: tuple[int, int] = (128, 128)) -> np.ndarray:
    image = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=shape), 3)
    return np.asarray(image / image.std() * 10)


def test_a_disc_on_texture_is_the_most_salient_place() -> None:
    image = texture()
    disc = np.hypot(*(np.indices(image.shape) - np.reshape([40, 90], (2, 1, 1)))) < 5
    saliency = spectral_residual(image + 60 * disc, spacing_mm=(1.0, 1.0), **GIVEN)
    top = np.unravel_index(np.argmax(saliency), saliency.shape)
    assert np.hypot(top[0] - 40, top[1] - 90) < 6
    assert saliency[40, 90] > 3, "what the source calls an object"


def test_the_slices_mean_is_1() -> None:
    saliency = spectral_residual(texture(), spacing_mm=(1.0, 1.0), **GIVEN)
    assert saliency.mean() == pytest.approx(1.0, rel=0.02)


def test_brightness_and_contrast_do_not_matter() -> None:
    image = texture(1)
    plain = spectral_residual(image, spacing_mm=(1.0, 1.0), **GIVEN)
    assert np.allclose(spectral_residual(3 * image - 500, spacing_mm=(1.0, 1.0), **GIVEN), plain, atol=1e-6)


def test_a_volume_is_done_slice_by_slice() -> None:
    volume = np.stack([texture(1), texture(2)]).astype(np.float32)
    result = spectral_residual(volume, spacing_mm=(4.0, 1.0, 1.0), **GIVEN)
    assert np.array_equal(result[1], spectral_residual(volume[1], spacing_mm=(1.0, 1.0), **GIVEN))
    assert result.dtype == np.float32


def test_a_constant_slice_has_nothing_salient() -> None:
    assert not spectral_residual(np.full((3, 32, 32), 40.0), spacing_mm=(1.0, 1.0, 1.0), **GIVEN).any()


def test_all_colours_have_the_map_of_their_mean() -> None:
    grey = texture(3)
    colour = np.stack([grey * 1.5, grey, grey * 0.5], axis=-1)
    result = spectral_residual(colour, spacing_mm=(1.0, 1.0), **GIVEN)
    assert np.allclose(result, spectral_residual(grey, spacing_mm=(1.0, 1.0), **GIVEN)[..., None], atol=1e-6)
