"""The transform pair: centre, scale and frequencies."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.imaging.spectrum.transform import forward, frequencies_per_mm, half_frequencies_per_mm, inverse, length

SHAPES = [(8, 6), (7, 9), (4, 5, 6), (1, 1), (1, 8)]


@pytest.mark.parametrize("shape", SHAPES)
def test_the_inverse_gives_the_image_back(shape: tuple[int, ...]) -> None:
    image = np.random.default_rng(0).normal(size=shape)
    assert np.allclose(inverse(forward(image)), image, atol=1e-12)


@pytest.mark.parametrize("shape", SHAPES)
def test_image_and_spectrum_have_the_same_energy(shape: tuple[int, ...]) -> None:
    image = np.random.default_rng(1).normal(size=shape)
    assert np.sum(np.abs(forward(image)) ** 2) == pytest.approx(np.sum(image**2))


def test_single_precision_stays_single() -> None:
    assert forward(np.ones((4, 4), np.int16)).dtype == np.complex64
    assert forward(np.ones((4, 4), np.float32)).dtype == np.complex64
    assert inverse(forward(np.ones((4, 4)))).dtype == np.float64


@pytest.mark.parametrize(("shape", "spacing"), [((40, 50), (2.0, 0.5)), ((20, 30, 25), (5.0, 1.0, 0.8))])
def test_a_cosine_peaks_at_its_cycles_per_mm_whatever_the_spacing(
    shape: tuple[int, ...], spacing: tuple[float, ...]
) -> None:
    wanted = [3 / (n * s) for n, s in zip(shape, spacing, strict=True)]  # three periods along each axis
    where = np.meshgrid(*(np.arange(n) * s for n, s in zip(shape, spacing, strict=True)), indexing="ij")
    image = np.cos(2 * np.pi * sum(f * w for f, w in zip(wanted, where, strict=True)))
    magnitude = np.abs(forward(image))
    axes = frequencies_per_mm(shape, spacing)
    at = np.unravel_index(np.argmax(magnitude), shape)
    found = [float(axis[i]) for axis, i in zip(axes, at, strict=True)]
    assert np.allclose(np.abs(found), wanted)
    assert length(axes)[at] == pytest.approx(np.hypot.reduce(wanted))
    assert np.count_nonzero(magnitude > 1e-6) == 2


@pytest.mark.parametrize("shape", [(8, 6), (7, 9)])
def test_frequency_0_is_at_the_middle_and_holds_the_mean(shape: tuple[int, int]) -> None:
    image = np.random.default_rng(2).normal(size=shape) + 5
    middle = tuple(n // 2 for n in shape)
    assert forward(image)[middle] == pytest.approx(image.mean() * np.sqrt(image.size))
    assert [axis[i] for axis, i in zip(frequencies_per_mm(shape, (1.0, 2.0)), middle, strict=True)] == [0, 0]


@pytest.mark.parametrize("shape", [(8, 6), (7, 9)])
def test_a_point_at_the_middle_voxel_has_a_real_flat_spectrum(shape: tuple[int, int]) -> None:
    point = np.zeros(shape)
    point[tuple(n // 2 for n in shape)] = 1.0
    assert np.allclose(forward(point), 1 / np.sqrt(point.size))


def test_a_shift_of_d_mm_multiplies_the_spectrum_by_a_linear_phase() -> None:
    spacing, shift = (2.0, 0.5), (3, -4)
    image = np.random.default_rng(3).normal(size=(16, 24))
    fy, fx = frequencies_per_mm(image.shape, spacing)
    phase = np.exp(-2j * np.pi * (fy[:, None] * shift[0] * spacing[0] + fx * shift[1] * spacing[1]))
    assert np.allclose(forward(np.roll(image, shift, (0, 1))), forward(image) * phase)


def test_the_half_spectrum_has_the_frequencies_of_scipys_rfft() -> None:
    fy, fx = half_frequencies_per_mm((6, 8), (2.0, 0.5))
    assert np.allclose(fy, np.array([0, 1, 2, -3, -2, -1]) / 12)
    assert np.allclose(fx, np.arange(5) / 4)
