"""Laplacian-of-Gaussian blobs: what a ball answers, and the region that grows from it."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.imaging.candidates.blobs import BALL_RESPONSE, Settings

SPACING = (2.0, 1.0, 1.0)
SHAPE = (40, 80, 80)


def distance(centre_mm: tuple[float, float, float]) -> np.ndarray:
    z, y, x = np.meshgrid(*(np.arange(n) * s for n, s in zip(SHAPE, SPACING, strict=True)), indexing="ij")
    return np.sqrt((z - centre_mm[0]) ** 2 + (y - centre_mm[1]) ** 2 + (x - centre_mm[2]) ** 2)


def ball(radius_mm: float, centre_mm: tuple[float, float, float] = (40.0, 40.0, 40.0)) -> np.ndarray:
    return distance(centre_mm) < radius_mm


def iou(piece, truth: np.ndarray) -> float:
    both = (piece.mask & truth[piece.box]).sum()
    return float(both / (piece.mask.sum() + truth.sum() - both))


def test_a_ball_answers_with_its_contrast_at_its_own_scale() -> None:
    image = np.where(ball(8.0), 100.0, 0.0).astype(np.float32)
    sigma = 8.0 / np.sqrt(3)
    contrast = Settings().responses(image, sigmas_mm=(sigma / 1.5, sigma, sigma * 1.5), spacing_mm=SPACING)
    at_centre = contrast[:, 20, 40, 40]
    assert at_centre[1] == pytest.approx(100.0, rel=0.03)
    assert at_centre.argmax() == 1


def test_the_response_of_a_ball_is_the_closed_form() -> None:
    # -sigma² times the Laplacian of a Gaussian, integrated over a ball of radius sqrt(3) sigma: 4 pi r³ G(r).
    r = np.sqrt(3.0)
    assert pytest.approx(4 * np.pi * r**3 * np.exp(-(r**2) / 2) / (2 * np.pi) ** 1.5) == BALL_RESPONSE


def test_a_constant_image_answers_nothing_up_to_its_faces() -> None:
    contrast = Settings().responses(np.full((8, 9, 10), 700.0, np.float32), sigmas_mm=(1.0, 4.0), spacing_mm=SPACING)
    assert np.abs(contrast).max() < 0.01


@pytest.mark.parametrize("radius_mm", [3.0, 6.0, 14.0])
def test_a_noisy_ball_in_lung_is_the_strongest_blob_and_its_region_fits(radius_mm: float) -> None:
    truth = ball(radius_mm)
    hu = np.where(truth, 30.0, -850.0) + np.random.default_rng(0).normal(0, 20, SHAPE)
    first = Settings().find(hu, np.ones(SHAPE, dtype=bool), spacing_mm=SPACING, unit="HU")[0]
    assert iou(first, truth) > 0.8
    assert first.level == pytest.approx(radius_mm / np.sqrt(3), rel=0.45)


def test_a_nodule_on_a_vessel_is_cut_from_it() -> None:
    truth = ball(6.0)
    z, y, _ = np.meshgrid(*(np.arange(n) * s for n, s in zip(SHAPE, SPACING, strict=True)), indexing="ij")
    vessel = (z - 40) ** 2 + (y - 40) ** 2 < 2.5**2
    hu = np.where(truth | vessel, 30.0, -850.0)
    pieces = Settings().find(hu, np.ones(SHAPE, dtype=bool), spacing_mm=SPACING, unit="HU")
    assert max(iou(p, truth) for p in pieces) > 0.7


def test_the_edge_of_the_searched_region_is_no_blob() -> None:
    inside = ball(25.0)
    hu = np.where(inside, -850.0, 40.0)
    assert Settings().find(hu, inside, spacing_mm=SPACING, unit="HU") == []


def test_regions_stay_in_the_searched_region() -> None:
    inside = distance((40.0, 40.0, 34.0)) < 12.0
    hu = np.where(ball(8.0, (40.0, 40.0, 44.0)) | ~inside, 30.0, -850.0)
    pieces = Settings().find(hu, inside, spacing_mm=SPACING, unit="HU")
    assert pieces
    assert all(inside[p.box][p.mask].all() for p in pieces)


def test_no_more_blobs_than_asked_and_the_strongest_first() -> None:
    image = np.random.default_rng(1).normal(0, 300, SHAPE)
    few = Settings(max_blobs=5).find(image, np.ones(SHAPE, dtype=bool), spacing_mm=SPACING, unit="HU")
    many = Settings(max_blobs=9).find(image, np.ones(SHAPE, dtype=bool), spacing_mm=SPACING, unit="HU")
    assert len(few) == 5
    assert [p.box for p in many[:5]] == [p.box for p in few]


def test_dark_balls_are_no_bright_blobs() -> None:
    image = np.where(ball(6.0), -850.0, 30.0)
    levels = Settings().find(image, np.ones(SHAPE, dtype=bool), spacing_mm=SPACING, unit="HU")
    assert all(not ball(4.0)[p.box][p.mask].any() for p in levels)


def test_pet_has_no_blobs_unless_scales_are_given() -> None:
    image = np.where(ball(8.0), 10.0, 1.0)
    everywhere = np.ones(SHAPE, dtype=bool)
    assert Settings().find(image, everywhere, spacing_mm=SPACING, unit="SUV") == []
    assert Settings(sigmas_mm=(4.6,)).find(image, everywhere, spacing_mm=SPACING, unit="SUV")
