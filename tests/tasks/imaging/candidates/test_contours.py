"""Contours of slices: their shapes, and the pieces that they make."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.measure import find_contours

from tasks.imaging.candidates.contours import Settings, contour_shape

ONE = (2.0, 1.0, 1.0)
EVERY = {"thresholds": (0.5,), "smoothing_sigma_mm": 0.0, "min_ml": 0.0, "max_ml": 1000.0}


def search(image: np.ndarray, **options: object) -> list:
    settings = Settings(**{**EVERY, **options})
    return settings.find(image, np.ones(image.shape, dtype=bool), spacing_mm=ONE, unit="arbitrary")


def disc(radius: float, shape: tuple[int, int] = (60, 60), centre: tuple[float, float] = (30, 30)) -> np.ndarray:
    y, x = np.ogrid[: shape[0], : shape[1]]
    return np.asarray((y - centre[0]) ** 2 + (x - centre[1]) ** 2 <= radius**2)


def rows(count: int, plane: np.ndarray, depth: int = 8) -> np.ndarray:
    image = np.zeros((depth, *plane.shape))
    image[2 : 2 + count] = plane
    return image


def test_a_square_has_its_area_circularity_and_solidity() -> None:
    square = np.array([[0, 0], [0, 4], [4, 4], [4, 0], [0, 0]], dtype=float)
    one = contour_shape(square) or contour_shape(square[::-1])
    assert one == pytest.approx((16.0, np.pi / 4, 1.0))
    assert (contour_shape(square) is None) != (contour_shape(square[::-1]) is None)


def test_an_l_fills_three_quarters_and_more_of_its_hull() -> None:
    corner = np.array([[0, 0], [0, 2], [1, 2], [1, 1], [2, 1], [2, 0], [0, 0]], dtype=float)
    area, circularity, solidity = contour_shape(corner) or contour_shape(corner[::-1])
    assert (area, solidity) == pytest.approx((3.0, 3.0 / 3.5))
    assert circularity == pytest.approx(4 * np.pi * 3 / 64)


def test_a_hole_is_told_from_an_island() -> None:
    ring = disc(20) & ~disc(8)
    shapes = [contour_shape(c) for c in find_contours(np.pad(ring, 1).astype(float), 0.5, fully_connected="low")]
    areas = [shape[0] for shape in shapes if shape is not None]
    assert len(shapes) == 2
    assert areas == [pytest.approx(np.pi * 20.2**2, rel=0.02)]


def test_a_ball_of_slices_is_one_piece_with_the_pixels_above_the_level() -> None:
    (piece,) = search(rows(4, disc(9)))
    assert piece.kind == "contour"
    assert piece.box == (slice(2, 6), slice(21, 40), slice(21, 40))
    assert (piece.mask == disc(9)[21:40, 21:40]).all()


def test_what_a_round_contour_encloses_is_filled() -> None:
    (piece,) = search(rows(3, disc(9) & ~disc(4)))
    assert (piece.mask[1] == disc(9)[21:40, 21:40]).all()


def test_long_and_notched_shapes_are_left_out_and_the_limits_say_so() -> None:
    bar = np.zeros((60, 60), dtype=bool)
    bar[28:32, 5:55] = True
    moon = disc(14) & ~disc(13, centre=(30, 38))
    assert search(rows(3, bar)) == []
    assert search(rows(3, moon)) == []
    assert len(search(rows(3, bar), min_circularity=0.0)) == 1
    assert len(search(rows(3, moon), min_circularity=0.0)) == 0
    assert len(search(rows(3, moon), min_circularity=0.0, min_solidity=0.0)) == 1


def test_areas_are_in_mm2_and_volumes_in_ml() -> None:
    image = rows(3, disc(9))
    pixels = int(disc(9).sum())
    assert len(search(image, min_area_mm2=0.97 * pixels)) == 1
    assert search(image, min_area_mm2=1.03 * pixels) == []
    ml = 3 * pixels * 2.0 / 1000
    assert len(search(image, min_ml=ml - 1e-9, max_ml=ml + 1e-9)) == 1
    assert search(image, max_ml=ml - 1e-3) == []


def test_pieces_reach_over_the_slices_asked_for_or_all_that_there_are() -> None:
    assert search(rows(1, disc(9))) == []
    assert len(search(rows(2, disc(9)))) == 1
    assert search(rows(2, disc(9)), min_slices=3) == []
    assert len(search(disc(9)[None].astype(float), min_slices=3)) == 1


def test_a_lesion_that_touches_the_wall_below_is_found_in_the_slices_where_it_is_round() -> None:
    image = rows(4, disc(9))
    image[6:, 25:40, :] = 1.0
    (piece,) = search(image)
    assert piece.box == (slice(2, 6), slice(21, 40), slice(21, 40))


def test_lines_close_at_the_border_and_at_the_edge_of_the_region() -> None:
    image = rows(3, disc(9, centre=(0, 30)))
    within = np.ones(image.shape, dtype=bool)
    within[:, :, 30:] = False
    (piece,) = Settings(**EVERY, min_circularity=0.0).find(image, within, spacing_mm=ONE, unit="arbitrary")
    assert piece.box == (slice(2, 5), slice(0, 9), slice(21, 30))
