"""Moments of bodies whose integrals are known, and of Zernike's own polynomials."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.imaging.moments import radial_polynomial, space_invariants, zernike_magnitudes, zernike_orders

N = 201
Y, X = np.indices((N, N)) - N // 2
RADIUS, ANGLE = np.hypot(Y, X) / (N // 2), np.arctan2(Y, X)
INSIDE = RADIUS <= 1


def magnitudes(mass: np.ndarray, spacing: tuple[float, float] = (1.0, 1.0)) -> dict[tuple[int, int], float]:
    return dict(zip(zernike_orders(6), zernike_magnitudes(mass, spacing_mm=spacing, highest=6), strict=True))


def test_radial_polynomials_are_those_of_the_table() -> None:
    r = np.linspace(0, 1, 11)
    np.testing.assert_allclose(radial_polynomial(2, 0, r), 2 * r**2 - 1)
    np.testing.assert_allclose(radial_polynomial(3, 1, r), 3 * r**3 - 2 * r)
    np.testing.assert_allclose(radial_polynomial(4, 0, r), 6 * r**4 - 6 * r**2 + 1)
    np.testing.assert_allclose(radial_polynomial(6, 2, r), 15 * r**6 - 20 * r**4 + 6 * r**2, atol=1e-12)
    assert all(radial_polynomial(n, m, np.ones(1))[0] == 1 for n, m in zernike_orders(12))


def test_orders_have_the_parity_of_their_repetitions() -> None:
    assert zernike_orders(4) == ((2, 0), (2, 2), (3, 1), (3, 3), (4, 0), (4, 2), (4, 4))


def test_an_even_disc_has_none() -> None:
    assert max(magnitudes(INSIDE.astype(float)).values()) < 0.05


@pytest.mark.parametrize(("n", "m"), [(2, 0), (2, 2), (3, 3), (4, 2), (6, 4)])
def test_a_disc_with_a_wave_of_zernikes_has_that_moment_alone(n: int, m: int) -> None:
    mass = np.where(INSIDE, 1 + 0.5 * radial_polynomial(n, m, RADIUS) * np.cos(m * ANGLE), 0)
    found = magnitudes(mass)
    # (n + 1) / pi times the mean of 0.5 R² cos²: 1 / (2 n + 2) for m > 0, 1 / (n + 1) for m = 0, over the disc's mean.
    expected = 0.5 / np.pi if m == 0 else 0.25 / np.pi
    assert found.pop((n, m)) == pytest.approx(expected, rel=0.12)  # its disc reaches half a pixel beyond
    assert max(found.values()) < 0.05


def test_turned_or_on_anisotropic_pixels_a_shape_has_the_same_sizes() -> None:
    fine = ((np.abs(Y) < 60) & (np.abs(X) < 30) | (RADIUS < 0.35)) & (Y + X > -50)
    once = magnitudes(fine.astype(float))
    assert magnitudes(np.rot90(fine).astype(float)) == pytest.approx(once)
    assert magnitudes(fine[:, ::-1].astype(float)) == pytest.approx(once)
    assert magnitudes(fine[::2].astype(float), (2.0, 1.0)) == pytest.approx(once, abs=0.01)


def test_a_box_has_the_moments_of_its_sides() -> None:
    a, b, c = 12.0, 8.0, 6.0
    found = space_invariants(np.ones((6, 8, 12)), spacing_mm=(1.0, 1.0, 1.0))
    scale = (a * b * c) ** (2 / 3)
    second = np.array([a, b, c]) ** 2 / 12 / scale
    assert found["trace"] == pytest.approx(second.sum())
    assert found["minors"] == pytest.approx(second[0] * second[1] + second[1] * second[2] + second[0] * second[2])
    assert found["determinant"] == pytest.approx(second.prod())
    assert found["third_norm"] == pytest.approx(0, abs=1e-20)


def test_a_ball_has_the_trace_of_its_formula() -> None:
    z, y, x = np.indices((41, 41, 41)) - 20
    found = space_invariants((z**2 + y**2 + x**2 <= 20**2).astype(float), spacing_mm=(1.0, 1.0, 1.0))
    assert found["trace"] == pytest.approx(3 / 5 / (4 / 3 * np.pi) ** (2 / 3), rel=2e-3)


def test_two_points_have_the_third_moment_of_their_weights() -> None:
    # Masses 2 and 1 at -1 and +2 mm from their centre: third moment 2 * (-1)³ + 1 * 2³ = 6, along x alone.
    mass = np.zeros((1, 1, 4))
    mass[0, 0, 0], mass[0, 0, 3] = 2.0, 1.0
    found = space_invariants(mass, spacing_mm=(1.0, 1.0, 1.0))
    assert found["third_norm"] == pytest.approx((6 / 9) ** 2)
    assert found["third_vector"] == pytest.approx((6 / 9) ** 2)
    # Second moment along x: 2 * 1 + 1 * 4, and a voxel's own 1 / 12 for each of three.
    assert found["third_along"] == pytest.approx((6 / 9) ** 2 * (6 + 3 / 12) / 3 ** (5 / 3))


def test_a_lopsided_body_in_any_pose_and_grid_has_the_same_invariants() -> None:
    mass = np.random.default_rng(0).uniform(size=(6, 7, 8))
    once = space_invariants(mass, spacing_mm=(1.0, 1.0, 1.0))
    assert once["third_norm"] > 0
    poses = [np.rot90(mass, axes=(0, 2)), mass.transpose(2, 0, 1), mass[::-1], np.pad(mass, 2)]
    for pose in poses:
        assert space_invariants(pose, spacing_mm=(1.0, 1.0, 1.0)) == pytest.approx(once)
    assert space_invariants(mass, spacing_mm=(3.0, 3.0, 3.0)) == pytest.approx(once)
    finer = mass.repeat(3, 0).repeat(2, 1)
    # Third moments of a voxel about its own centre are 0, but they add to those about the common one.
    assert space_invariants(finer, spacing_mm=(1 / 3, 1 / 2, 1.0)) == pytest.approx(once, rel=0.02)
