"""Difference of Gaussians and Hessian: what balls, vessels and plates answer."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.imaging.blob_finder import BlobFinder
from tasks.imaging.candidates import blobs, dog, hessian

SPACING = (2.0, 1.0, 1.0)
SHAPE = (40, 80, 80)
CENTRE = (20, 40, 40)
FINDERS = [dog.Settings(), hessian.Settings()]


def grids() -> list[np.ndarray]:
    return np.meshgrid(*((np.arange(n) - c) * s for n, c, s in zip(SHAPE, CENTRE, SPACING, strict=True)), indexing="ij")


def ball(radius_mm: float) -> np.ndarray:
    z, y, x = grids()
    return np.asarray(z**2 + y**2 + x**2 < radius_mm**2)


def vessel(radius_mm: float) -> np.ndarray:
    z, y, _ = grids()
    return np.asarray(z**2 + y**2 < radius_mm**2)


def plate(half_mm: float) -> np.ndarray:
    return np.asarray(np.abs(grids()[1]) < half_mm)


def answer(finder: BlobFinder, mask: np.ndarray, sigmas_mm: tuple[float, ...]) -> np.ndarray:
    image = np.where(mask, 100.0, 0.0).astype(np.float32)
    return finder.responses(image, sigmas_mm=sigmas_mm, spacing_mm=SPACING)[:, *CENTRE]


def iou(piece, truth: np.ndarray) -> float:
    both = (piece.mask & truth[piece.box]).sum()
    return float(both / (piece.mask.sum() + truth.sum() - both))


@pytest.mark.parametrize("finder", FINDERS, ids=lambda f: f.kind)
def test_a_ball_answers_with_its_contrast_at_its_own_scale(finder: BlobFinder) -> None:
    sigma = 8.0 / finder.radius_per_sigma
    contrast = answer(finder, ball(8.0), (sigma / 1.5, sigma, sigma * 1.5))
    assert contrast[1] == pytest.approx(100.0, rel=0.04)
    if finder.kind == "dog":  # the radius is that at which a sigma answers most
        smaller, larger = (answer(finder, ball(r), (sigma,))[0] for r in (6.0, 10.0))
        assert contrast[1] > max(smaller, larger)


def test_the_answer_of_a_ball_to_two_gaussians_is_the_closed_form() -> None:
    def smoothed(sigma: float, radius: float) -> float:
        r = (np.arange(200_000) + 0.5) * radius / 200_000
        density = np.exp(-0.5 * (r / sigma) ** 2) / (2 * np.pi * sigma**2) ** 1.5
        return float((4 * np.pi * r**2 * density).sum() * radius / 200_000)

    radius = dog.RADIUS_PER_SIGMA
    assert dog.ball_response() == pytest.approx(smoothed(1.0, radius) - smoothed(dog.RATIO, radius), rel=1e-6)
    near = [smoothed(1.0, r) - smoothed(dog.RATIO, r) for r in (radius * 0.98, radius * 1.02)]
    assert dog.ball_response() > max(near)


def test_a_vessel_and_a_plate_answer_to_the_laplacian_but_not_to_the_hessian() -> None:
    sigma = (3.5,)
    of_laplacian = [answer(blobs.Settings(), shape, sigma)[0] for shape in (vessel(5.0), plate(3.5))]
    of_hessian = [answer(hessian.Settings(), shape, sigma)[0] for shape in (vessel(5.0), plate(3.5))]
    assert min(of_laplacian) > 40.0
    assert max(of_hessian) < 1.0


@pytest.mark.parametrize("finder", FINDERS, ids=lambda f: f.kind)
def test_a_constant_image_answers_nothing_up_to_its_faces(finder: BlobFinder) -> None:
    image = np.full((8, 9, 10), 700.0, np.float32)
    assert np.abs(finder.responses(image, sigmas_mm=(1.0, 4.0), spacing_mm=SPACING)).max() < 0.05


@pytest.mark.parametrize("radius_mm", [4.0, 12.0])
@pytest.mark.parametrize("finder", FINDERS, ids=lambda f: f.kind)
def test_a_noisy_ball_in_lung_is_the_strongest_blob_and_its_region_fits(finder: BlobFinder, radius_mm: float) -> None:
    truth = ball(radius_mm)
    hu = np.where(truth, 30.0, -850.0) + np.random.default_rng(0).normal(0, 20, SHAPE)
    first = finder.find(hu, np.ones(SHAPE, dtype=bool), spacing_mm=SPACING, unit="HU")[0]
    assert iou(first, truth) > 0.8
    assert first.kind == finder.kind
    assert first.level == pytest.approx(radius_mm / finder.radius_per_sigma, rel=0.45)


def test_only_the_nodule_of_a_vessel_is_a_blob_to_the_hessian() -> None:
    truth = ball(7.0)
    hu = np.where(truth | vessel(2.5), 30.0, -850.0)
    pieces = hessian.Settings().find(hu, np.ones(SHAPE, dtype=bool), spacing_mm=SPACING, unit="HU")
    assert iou(pieces[0], truth) > 0.7
    on_vessel = [p for p in pieces if not truth[p.box][p.mask].any()]
    assert len(on_vessel) < len(pieces)


@pytest.mark.parametrize("finder", FINDERS, ids=lambda f: f.kind)
def test_dark_balls_are_no_bright_blobs(finder: BlobFinder) -> None:
    image = np.where(ball(6.0), -850.0, 30.0)
    found = finder.find(image, np.ones(SHAPE, dtype=bool), spacing_mm=SPACING, unit="HU")
    assert all(not ball(4.0)[p.box][p.mask].any() for p in found)


def test_of_a_picture_the_dot_measure_has_two_curvatures() -> None:
    from tasks.imaging.kernels.hessian import add_blob
    from tasks.imaging.ridges import strongest

    y, x = np.meshgrid(np.arange(41) - 20.0, np.arange(41) - 20.0, indexing="ij")
    disc = np.exp(-(y**2 + x**2) / (2 * 3.0**2)).astype(np.float32)
    line = np.exp(-(y**2) / (2 * 3.0**2)).astype(np.float32)
    answers = [
        strongest(image, spacing_mm=(1.0, 1.0), scales_mm=(3.0,), ridges="bright", add=add_blob)[20, 20]
        for image in (disc, line, -disc)
    ]
    # A Gaussian of variance 9 smoothed by one of 9: height 1/2, curvature 1 / 36 each, times 9.
    assert answers == pytest.approx([0.25, 0.0, 0.0], abs=0.003)
