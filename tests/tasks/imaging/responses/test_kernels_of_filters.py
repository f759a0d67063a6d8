"""Filters whose response to a single bright voxel is their kernel, and the faults of their settings."""

from __future__ import annotations

import numpy as np
import pytest
import pywt
from scipy import ndimage

from storage.errors import CaseError
from tasks.imaging.responses import gabor, laws, log, mean, separable_wavelet

CUBES = (1.0, 1.0, 1.0)


def impulse(side: int = 21) -> np.ndarray:
    image = np.zeros((side, side, side))
    image[(side // 2,) * 3] = 1.0
    return image


def around(response: np.ndarray, reach: int) -> np.ndarray:
    middle = response.shape[0] // 2
    return response[(slice(middle - reach, middle + reach + 1),) * 3]


def test_the_mean_of_a_single_voxel_is_spread_over_the_cube() -> None:
    response = mean.Settings(size=3).respond(impulse(), CUBES)
    np.testing.assert_allclose(around(response, 1), 1 / 27)
    assert response.sum() == pytest.approx(1)
    with pytest.raises(ValueError, match="odd number of voxels"):
        mean.Settings(size=4)


def test_laws_first_letter_is_along_x() -> None:
    response = laws.Settings(kernel="E5L3S5", pooling="none").respond(impulse(), CUBES)
    edge, level, spot = np.array([-1, -2, 0, 2, 1]), np.array([0, 1, 2, 1, 0]), np.array([-1, 0, 2, 0, -1])
    expected = spot[:, None, None] * level[None, :, None] * edge[None, None, :] / np.sqrt(10 * 6 * 6)
    np.testing.assert_allclose(around(response, 2), expected, atol=1e-12)


def test_laws_kernels_have_a_sum_of_squares_of_one_and_of_weights_of_zero_but_for_the_level() -> None:
    for name, weights in laws.WHOLE.items():
        assert (sum(weights) == 0) == (name[0] != "L")
        response = laws.Settings(kernel=name * 3, pooling="none").respond(impulse(), CUBES)
        assert (response**2).sum() == pytest.approx(1)


def test_laws_pooling_takes_the_largest_of_24_orientations() -> None:
    # Of an edge along one axis and levels along the others, the largest is the size of the steepest edge.
    pooled = laws.Settings(kernel="L3L3E3").respond(impulse(), CUBES)
    single = [laws.Settings(kernel=k, pooling="none").respond(impulse(), CUBES) for k in ("L3L3E3", "L3E3L3", "E3L3L3")]
    np.testing.assert_allclose(pooled, np.max(np.abs(single), axis=0), atol=1e-12)
    lowest = laws.Settings(kernel="L3L3E3", pooling="min").respond(impulse(), CUBES)
    np.testing.assert_allclose(lowest, -pooled, atol=1e-12)
    average = laws.Settings(kernel="L3L3E3", pooling="mean").respond(impulse(), CUBES)
    np.testing.assert_allclose(average, 0, atol=1e-12)


def test_laws_energy_is_the_mean_size_of_the_responses() -> None:
    image = np.random.default_rng(0).normal(size=(7, 8, 9))
    for boundary, mode in (("mirror", "reflect"), ("zero", "constant")):
        response = laws.Settings(boundary=boundary).respond(image, CUBES)
        energy = laws.Settings(boundary=boundary, delta=2).respond(image, CUBES)
        np.testing.assert_allclose(energy, ndimage.uniform_filter(abs(response), 5, mode=mode), atol=1e-12)


def test_unknown_laws_kernels_and_a_wrong_number_of_them_are_refused() -> None:
    with pytest.raises(ValueError, match="no kernel X5; choose from: L3, L5"):
        laws.Settings(kernel="L5X5S5")
    with pytest.raises(ValueError, match="no kernel 5"):
        laws.Settings(kernel="L5E5S55")
    with pytest.raises(ValueError, match="expected 3 kernels, one an axis; got 'L5E5'"):
        laws.Settings(kernel="L5E5")
    with pytest.raises(ValueError, match="expected 2 kernels"):
        laws.Settings(slice_wise=True)


def test_log_is_that_of_scipy_without_its_sum() -> None:
    response = log.Settings(sigma_mm=2).respond(impulse(41), CUBES)
    expected = ndimage.gaussian_laplace(impulse(41), 2.0)
    assert abs(response - expected).max() < 1e-3 * np.ptp(expected)
    assert response.sum() == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (2.0, 1.0, 1.0), (1.5, 0.8, 1.2)])
def test_log_in_a_gaussian_blob_has_the_analytic_value_whatever_the_voxels(spacing: tuple[float, ...]) -> None:
    width, sigma = 4.0, 3.0
    shape = [2 * int(25 / s) + 1 for s in spacing]
    mm = np.meshgrid(*((np.arange(n) - n // 2) * s for n, s in zip(shape, spacing, strict=True)), indexing="ij")
    blob = np.exp(-sum(axis**2 for axis in mm) / (2 * width**2))
    centre = log.Settings(sigma_mm=sigma).respond(blob, spacing)[tuple(n // 2 for n in shape)]
    both = width**2 + sigma**2
    per_mm2 = -3 / both * (width**2 / both) ** 1.5
    assert centre == pytest.approx(per_mm2 * np.prod(spacing) ** (2 / 3), rel=2e-3)


def test_log_refuses_voxels_that_are_too_coarse() -> None:
    with pytest.raises(CaseError, match="sigma of 1 mm is less than half a voxel of 5 mm"):
        log.Settings(sigma_mm=1).respond(impulse(9), (5.0, 1.0, 1.0))
    log.Settings(sigma_mm=1, slice_wise=True).respond(impulse(9), (5.0, 1.0, 1.0))


def test_gabor_of_a_single_voxel_is_the_envelope() -> None:
    one = gabor.Settings(
        sigma_mm=2, lambda_mm=3, gamma=0.5, theta_deg=30, pooling="none", slice_wise=True, boundary="zero"
    )
    response = one.respond(impulse(41), (7.0, 0.5, 1.0))[20]
    y, x = np.meshgrid(np.arange(-20, 21) * 0.5, np.arange(-20, 21) * 1.0, indexing="ij")
    along = x * np.cos(np.pi / 6) + y * np.sin(np.pi / 6)
    across = y * np.cos(np.pi / 6) - x * np.sin(np.pi / 6)
    expected = np.exp(-(along**2 + 0.25 * across**2) / 8)
    np.testing.assert_allclose(response, expected, atol=1e-5)


def test_gabor_finds_waves_of_its_length_and_direction() -> None:
    y, x = np.meshgrid(np.arange(64.0), np.arange(64.0), indexing="ij")

    def response(theta: float, wave: float, **settings: object) -> float:
        turn = np.deg2rad(theta)
        image = np.cos(2 * np.pi * (x * np.cos(turn) + y * np.sin(turn)) / wave)[None]
        one = gabor.Settings(sigma_mm=4, lambda_mm=5, gamma=1, slice_wise=True, **settings)
        return float(one.respond(image, CUBES)[0, 32, 32])

    # From x towards y: clockwise as slices are shown.
    largest = response(30, 5, theta_deg=30, pooling="none")
    assert largest == pytest.approx(np.pi * 16, rel=1e-3)  # half of 2 pi sigma^2, for half of the cosine
    assert response(30, 5, theta_deg=210, pooling="none") == pytest.approx(largest)
    assert response(-30, 5, theta_deg=30, pooling="none") < 0.01 * largest
    assert response(30, 8, theta_deg=30, pooling="none") < 0.2 * largest
    assert response(30, 5, theta_deg=15, pooling="max", theta_step_deg=15) == pytest.approx(largest, rel=1e-3)


def test_gabor_in_space_is_the_mean_of_three_planes() -> None:
    image = np.random.default_rng(0).normal(size=(9, 10, 11))
    spacing = (2.0, 1.0, 1.5)
    planes = []
    for normal in range(3):
        order = [normal, *(axis for axis in range(3) if axis != normal)]
        turned = image.transpose(order)
        found = gabor.Settings(slice_wise=True).respond(turned, tuple(spacing[a] for a in order))
        planes.append(found.transpose(np.argsort(order)))
    np.testing.assert_allclose(gabor.Settings().respond(image, spacing), np.mean(planes, axis=0), atol=1e-12)


def test_gabor_directions_that_differ_are_computed_once() -> None:
    assert gabor.Settings(theta_step_deg=45).directions_deg() == [0, 45, 90, 135]
    assert gabor.Settings(theta_step_deg=120, theta_deg=10).directions_deg() == [10, 70, 130]
    assert gabor.Settings(theta_deg=200, pooling="none").directions_deg() == [200]
    with pytest.raises(ValueError, match="goes into 360° without rest; got 50"):
        gabor.Settings(theta_step_deg=50)


def test_haar_first_letter_is_along_x_and_each_high_pass_looks_back() -> None:
    one = separable_wavelet.Settings(band="HLL", pooling="none", boundary="zero")
    response = around(one.respond(impulse(), CUBES), 1)
    expected = np.zeros((3, 3, 3))
    expected[:2, :2, 0], expected[:2, :2, 1] = -1, 1
    np.testing.assert_allclose(response, expected / np.sqrt(8), atol=1e-12)


@pytest.mark.parametrize("wavelet", ["haar", "db2", "coif1", "bior2.2"])
@pytest.mark.parametrize("level", [1, 2, 3])
def test_sub_bands_are_those_of_the_stationary_transform(wavelet: str, level: int) -> None:
    image = np.random.default_rng(0).normal(size=(16, 8, 8))
    found = pywt.swtn(image, wavelet, level=level)[0]
    for band, letters in (("LLH", "daa"), ("HLL", "aad"), ("HLH", "dad")):
        ours = separable_wavelet.Settings(
            wavelet=wavelet, band=band, level=level, pooling="none", boundary="periodic"
        ).respond(image, CUBES)
        np.testing.assert_allclose(ours, found[letters], atol=1e-10)


def test_between_the_weights_of_the_third_level_lie_three_zeros() -> None:
    assert separable_wavelet.with_holes([1.0, 2.0], 2) == (1, 0, 0, 0, 2, 0, 0, 0, 0)
    assert separable_wavelet.with_holes([1.0, 2.0, 3.0, 4.0], 0) == (1, 2, 3, 4, 0)


def test_faulty_wavelet_settings_are_refused() -> None:
    with pytest.raises(ValueError, match=r"no wavelet 'morl'; choose from: bior1\.1"):
        separable_wavelet.Settings(wavelet="morl")
    with pytest.raises(ValueError, match="expected 3 letters L or H, one an axis; got 'LH'"):
        separable_wavelet.Settings(band="LH")
    with pytest.raises(ValueError, match="should match pattern"):
        separable_wavelet.Settings(band="LXH")
    with pytest.raises(CaseError, match=r"needs 9 voxels along each axis; got 8 × 8 × 8: take a larger image$"):
        separable_wavelet.Settings(level=4).respond(np.zeros((8, 8, 8)), CUBES)


@pytest.mark.parametrize("boundary", ["nearest", "periodic", "mirror"])
def test_a_constant_image_has_no_response_but_of_means_and_low_passes(boundary: str) -> None:
    image = np.full((7, 8, 9), -1000.0)
    for one in (
        log.Settings(boundary=boundary),
        laws.Settings(boundary=boundary),
        separable_wavelet.Settings(boundary=boundary, wavelet="db3"),
    ):
        np.testing.assert_allclose(one.respond(image, CUBES), 0, atol=1e-9)
    np.testing.assert_allclose(mean.Settings(boundary=boundary).respond(image, CUBES), -1000)
    low = separable_wavelet.Settings(band="LLL", boundary=boundary).respond(image, CUBES)
    np.testing.assert_allclose(low, -1000 * np.sqrt(8))
