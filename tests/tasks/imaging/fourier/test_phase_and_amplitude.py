"""Pictures from their phases, and from their magnitudes, alone."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from tasks.imaging.fourier.amplitude_only import amplitude_only
from tasks.imaging.fourier.phase_only import phase_only


def squares() -> np.ndarray:
    image = np.zeros((64, 80))
    image[20:40, 10:30], image[10:50, 50:60] = 100.0, 60.0
    return image + np.random.default_rng(0).normal(0, 1, image.shape)


def outlines(image: np.ndarray) -> np.ndarray:
    return np.asarray(ndimage.gaussian_gradient_magnitude(image, 1.0))


def test_the_phases_hold_the_outlines_and_the_magnitudes_do_not() -> None:
    image = squares()
    by_phase = np.corrcoef(outlines(image).ravel(), outlines(phase_only(image, axes=2)).ravel())[0, 1]
    by_amplitude = np.corrcoef(outlines(image).ravel(), outlines(amplitude_only(image, axes=2)).ravel())[0, 1]
    assert by_phase > 0.6
    assert abs(by_amplitude) < 0.2


def test_phases_alone_have_one_magnitude_and_the_energy_of_the_image() -> None:
    image = squares()
    result = phase_only(image, axes=2)
    magnitude = np.abs(np.fft.fft2(result)).ravel()[1:]
    assert magnitude.std() < 1e-6 * magnitude.mean()
    assert np.sum(result**2) == pytest.approx(np.sum((image - image.mean()) ** 2), rel=1e-3)


def test_phases_alone_keep_the_place_of_a_point() -> None:
    image = np.zeros((9, 20, 21))
    image[3, 7, 11] = 5.0
    assert np.argwhere(phase_only(image, axes=3) > 4.0).tolist() == [[3, 7, 11]]


def test_magnitudes_alone_forget_where_the_image_was() -> None:
    image = squares()
    moved = np.roll(image, (13, -22), (0, 1))
    assert np.allclose(amplitude_only(image, axes=2), amplitude_only(moved, axes=2))


def test_magnitudes_alone_keep_mean_and_energy_and_peak_in_the_middle() -> None:
    image = squares()
    result = amplitude_only(image, axes=2)
    assert result.mean() == pytest.approx(image.mean())
    assert np.sum(result**2) == pytest.approx(np.sum(image**2))
    assert np.argwhere(result == result.max()).tolist() == [[32, 40]]


def test_together_they_are_the_image() -> None:
    image = squares()
    size = np.abs(np.fft.fft2(np.fft.ifftshift(amplitude_only(image, axes=2))))
    phase = np.angle(np.fft.fft2(phase_only(image, axes=2)))
    phase[0, 0] = 0.0
    assert np.allclose(np.fft.ifft2(size * np.exp(1j * phase)).real, image, atol=1e-6)


@pytest.mark.parametrize("value", [0.0, 7.0, -1000.0])
def test_a_constant_image_has_no_phases(value: float) -> None:
    assert np.array_equal(phase_only(np.full((8, 9, 10), value, np.float32), axes=3), np.zeros((8, 9, 10)))


def test_each_colour_is_done_for_itself() -> None:
    grey = squares()
    colour = np.stack([grey, grey[::-1], grey[:, ::-1]], axis=-1)
    assert np.allclose(phase_only(colour, axes=2)[..., 1], phase_only(grey[::-1], axes=2))
