"""Simoncelli and Riesz on waves, whose response is the wave again."""

from __future__ import annotations

import numpy as np
import pytest

from storage.errors import CaseError
from tasks.imaging.filtering.spectral import multiplied
from tasks.imaging.filtering.transfers import riesz, simoncelli
from tasks.imaging.responses import riesz as riesz_filter
from tasks.imaging.responses import simoncelli as simoncelli_filter

N = 33
"""Odd, so that the standard's frequencies of a wave with k periods are exactly ±2k / (N - 1)."""
CUBES = (1.0, 1.0, 1.0)


def waves(periods: int, axis: int = 2, phase: float = 0.0) -> np.ndarray:
    shape = [N if a == axis else 1 for a in range(3)]
    wave = np.cos(2 * np.pi * periods * np.arange(N) / N + phase).reshape(shape)
    return np.broadcast_to(wave, (N, N, N)).copy()


def respond(image: np.ndarray, level: int) -> np.ndarray:
    return simoncelli_filter.Settings(level=level, boundary="periodic").respond(image, CUBES)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_each_level_passes_the_middle_of_its_band_and_stops_its_ends(axis: int) -> None:
    half, quarter, eighth = (waves(periods, axis) for periods in (8, 4, 2))
    np.testing.assert_allclose(respond(half, 1), half, atol=1e-9)
    np.testing.assert_allclose(respond(quarter, 1), 0, atol=1e-9)
    np.testing.assert_allclose(respond(quarter, 2), quarter, atol=1e-9)
    np.testing.assert_allclose(respond(half, 2), 0, atol=1e-9)
    np.testing.assert_allclose(respond(eighth, 3), eighth, atol=1e-9)


def test_levels_share_the_energy_of_a_wave() -> None:
    image = waves(5)  # between the middles of levels 1 and 2
    gains = [respond(image, level)[0, 0, 0] for level in (1, 2, 3)]
    assert gains[2] == pytest.approx(0, abs=1e-9)
    assert gains[0] == pytest.approx(np.cos(np.pi / 2 * np.log2(5 / 8)))
    assert gains[0] ** 2 + gains[1] ** 2 == pytest.approx(1)


def test_waves_in_a_slice_are_passed_slice_by_slice_alike() -> None:
    one = simoncelli_filter.Settings(level=1, boundary="periodic", slice_wise=True)
    np.testing.assert_allclose(one.respond(waves(8), CUBES), waves(8), atol=1e-9)
    np.testing.assert_allclose(one.respond(waves(8, axis=0), CUBES), 0, atol=1e-9)


def test_a_constant_image_has_no_response() -> None:
    image = np.full((8, 9, 10), -1000.0)
    for boundary in ("nearest", "periodic", "mirror"):
        for filters in (simoncelli_filter.Settings, riesz_filter.Settings):
            response = filters(boundary=boundary).respond(image, CUBES)
            np.testing.assert_allclose(response, 0, atol=1e-8)


def test_what_lies_beyond_the_reach_changes_a_response_by_less_than_a_hundredth() -> None:
    rng = np.random.default_rng(0)
    image = rng.normal(size=(256, 256))
    image[:128] += 5.0
    reaches = [
        (simoncelli_filter.reach(1), lambda f: simoncelli(f, 1)),
        (simoncelli_filter.reach(3), lambda f: simoncelli(f, 3)),
        (riesz_filter.REACH, lambda f: riesz(f, (0, 2)) * simoncelli(f, 1)),
    ]
    for reach, transfer in reaches:
        near, far = (multiplied(image, transfer, voxels, "mirror") for voxels in (reach, 256))
        assert abs(near - far).max() < 0.01 * np.ptp(far)


def test_an_image_shorter_than_a_wave_is_refused() -> None:
    with pytest.raises(CaseError, match="'simoncelli_3' needs 9 voxels along each axis; got 8 × 20 × 20"):
        simoncelli_filter.Settings(level=3).respond(np.zeros((8, 20, 20)), CUBES)
    with pytest.raises(CaseError, match="needs 5 voxels"):
        riesz_filter.Settings(of="simoncelli", level=2).respond(np.zeros((4, 9, 9)), CUBES)


def turned(image: np.ndarray, order: tuple[int, int, int]) -> np.ndarray:
    # Of a wave of half the highest frequency, which the first level lets pass unchanged.
    one = riesz_filter.Settings(order=order, of="simoncelli", boundary="periodic")
    return one.respond(image, CUBES)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_the_first_order_makes_a_cosine_along_its_axis_a_sine_and_others_vanish(axis: int) -> None:
    order = tuple(int(a == axis) for a in range(3))
    np.testing.assert_allclose(turned(waves(8, axis), order), waves(8, axis, phase=-np.pi / 2), atol=1e-9)
    np.testing.assert_allclose(turned(waves(8, (axis + 1) % 3), order), 0, atol=1e-9)


def test_the_second_order_turns_the_sign_of_a_wave_along_its_axis() -> None:
    np.testing.assert_allclose(turned(waves(8), (0, 0, 2)), -waves(8), atol=1e-9)
    np.testing.assert_allclose(turned(waves(8), (0, 1, 1)), 0, atol=1e-9)


@pytest.mark.parametrize("total", [1, 2, 3])
def test_all_transforms_of_one_order_share_the_energy(total: int) -> None:
    frequencies = [np.array([0.3]), np.array([-0.2]), np.array([0.7])]
    orders = [(z, y, total - z - y) for z in range(total + 1) for y in range(total + 1 - z)]
    assert sum(abs(riesz(frequencies, order)) ** 2 for order in orders) == pytest.approx(1)


def test_an_even_number_of_samples_is_multiplied_by_what_is_real() -> None:
    image = np.random.default_rng(0).normal(size=(8, 10, 6))
    grid = np.meshgrid(*(np.fft.ifftshift(np.linspace(-1, 1, n)) for n in image.shape), indexing="ij")
    factors = simoncelli(list(grid), 1) * riesz(list(grid), (1, 0, 0))
    expected = np.fft.ifftn(np.fft.fftn(image) * factors).real
    found = multiplied(image, lambda f: simoncelli(f, 1) * riesz(f, (1, 0, 0)), 0, "periodic")
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_an_order_without_direction_is_refused() -> None:
    with pytest.raises(ValueError, match="expected an order of 1 or more along some axis"):
        riesz_filter.Settings(order=(0, 0, 0))
    with pytest.raises(ValueError, match="order 0 along z where slices are filtered one by one; got 1"):
        riesz_filter.Settings(order=(1, 0, 0), slice_wise=True)
    with pytest.raises(ValueError, match="greater than or equal to 0"):
        riesz_filter.Settings(order=(0, -1, 0))
