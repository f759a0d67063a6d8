"""Filled contours equal the bodies they were cut from, voxel centre by voxel centre."""

from __future__ import annotations

import numpy as np
import pytest

from storage.errors import CaseError
from storage.volume import Volume
from tasks.ingest.rasterize import place_contours, rasterize

TURN, TILT = np.radians(25), np.radians(40)
AXIAL = np.eye(3)[::-1]  # rows: directions of the array axes z, y, x
OBLIQUE = np.array(
    [
        [np.sin(TURN) * np.sin(TILT), -np.cos(TURN) * np.sin(TILT), np.cos(TILT)],
        [-np.sin(TURN) * np.cos(TILT), np.cos(TURN) * np.cos(TILT), np.sin(TILT)],
        [np.cos(TURN), np.sin(TURN), 0],
    ]
)
LEFT_HANDED = AXIAL * [[-1], [1], [1]]
FRAMES = {"axial": AXIAL, "oblique": OBLIQUE, "left-handed": LEFT_HANDED}
ORIGIN = np.array([-31.3, 14.7, 205.1])
SPACING = (2.5, 0.9, 1.1)
SHAPE = (24, 60, 50)


def grid(frame: np.ndarray) -> Volume:
    x, y, z = ORIGIN
    columns = tuple(tuple(float(value) for value in row) for row in frame.T)
    return Volume(np.zeros(SHAPE, np.uint8), SPACING, (x, y, z), columns)


def world(frame: np.ndarray, z_mm: np.ndarray, y_mm: np.ndarray, x_mm: np.ndarray) -> np.ndarray:
    """LPS points at distances along the array axes from the first voxel, by plain vector sums."""
    along_z, along_y, along_x = (
        np.multiply.outer(mm, axis) for mm, axis in zip((z_mm, y_mm, x_mm), frame, strict=True)
    )
    return ORIGIN + along_z + along_y + along_x


CENTRE = np.array([29.03, 26.11, 27.29])  # mm along z, y, x
ANGLES = np.linspace(0, 2 * np.pi, 4000, endpoint=False)


def ellipses(frame: np.ndarray, height_mm: float, *axes_mm: tuple[float, float]) -> list[np.ndarray]:
    z = np.full(ANGLES.shape, height_mm)
    return [
        world(frame, z, CENTRE[1] + b * np.sin(ANGLES), CENTRE[2] + a * np.cos(ANGLES)) for b, a in axes_mm if a > 0
    ]


def offsets_mm() -> np.ndarray:
    axes = [np.arange(n) * step - centre for n, step, centre in zip(SHAPE, SPACING, CENTRE, strict=True)]
    return np.stack(np.meshgrid(*axes, indexing="ij"))


def heights_mm() -> np.ndarray:
    return np.arange(SHAPE[0]) * SPACING[0]


@pytest.mark.parametrize("frame", FRAMES)
def test_an_ellipsoid_is_filled_exactly_and_has_its_volume(frame: str) -> None:
    a, b, c = 17.3, 21.7, 24.9  # along z, y, x
    contours = []
    for height in heights_mm():
        scale = np.sqrt(max(0, 1 - ((height - CENTRE[0]) / a) ** 2))
        contours += ellipses(FRAMES[frame], height, (b * scale, c * scale))
    z, y, x = offsets_mm()
    inside = (z / a) ** 2 + (y / b) ** 2 + (x / c) ** 2
    assert np.abs(inside - 1).min() > 1e-5  # no voxel's centre lies on the border
    mask = rasterize(contours, grid(FRAMES[frame]))
    np.testing.assert_array_equal(mask, inside < 1)
    assert mask.sum() * np.prod(SPACING) == pytest.approx(4 / 3 * np.pi * a * b * c, rel=0.01)


@pytest.mark.parametrize("frame", FRAMES)
def test_a_torus_has_its_hole(frame: str) -> None:
    ring, tube = 17.2, 6.1
    contours = []
    for height in heights_mm():
        half = np.sqrt(max(0, tube**2 - (height - CENTRE[0]) ** 2))
        if half:
            contours += ellipses(FRAMES[frame], height, *[(ring + side * half,) * 2 for side in (1, -1)])
    z, y, x = offsets_mm()
    inside = (np.hypot(y, x) - ring) ** 2 + z**2 < tube**2
    np.testing.assert_array_equal(rasterize(contours, grid(FRAMES[frame])), inside)
    np.testing.assert_array_equal(rasterize([c[::-1] for c in contours[::-1]], grid(FRAMES[frame])), inside)


def test_a_hole_reached_by_a_keyhole_equals_a_hole_cut_out() -> None:
    outer, inner = ellipses(AXIAL, 10 * SPACING[0], (20.05, 20.05), (9.05, 9.05))
    keyhole = np.vstack([outer, outer[:1], inner[:1], inner[::-1], outer[:1]])
    np.testing.assert_array_equal(rasterize([keyhole], grid(AXIAL)), rasterize([outer, inner], grid(AXIAL)))


def square(z: float, first: float, last: float, spacing: float = 1.0) -> np.ndarray:
    """A square from `first` to `last` in voxels of a unit grid, at slice z."""
    return np.array([[first, first, z], [last, first, z], [last, last, z], [first, last, z]]) * spacing


UNIT = Volume(np.zeros((6, 8, 8), np.uint8), (1.0, 1.0, 1.0))


def test_a_square_around_three_by_three_centres_fills_nine_voxels() -> None:
    mask = rasterize([square(2, 1.5, 4.5)], UNIT)
    expected = np.zeros(UNIT.shape, bool)
    expected[2, 2:5, 2:5] = True
    np.testing.assert_array_equal(mask, expected)


def test_a_contour_moved_by_less_than_half_a_voxel_takes_the_next_centres_one_at_a_time() -> None:
    counts = [int(rasterize([square(2, 1.5 + shift, 4.5)], UNIT).sum()) for shift in (0, 0.4, 0.6, 1.4, 1.6)]
    assert counts == [9, 9, 4, 4, 1]


def test_a_contour_belongs_to_the_nearest_slice() -> None:
    for height, slice_ in ((1.6, 2), (2.06, 2), (2.4, 2), (2.6, 3)):
        assert np.flatnonzero(rasterize([square(height, 1.5, 4.5)], UNIT).any(axis=(1, 2))).tolist() == [slice_]


def test_what_lies_outside_is_cut_off_and_counted() -> None:
    contours = [square(-3, 1, 5), square(9, 1, 5), square(2, -4.5, 1.5), square(3, 40, 50), square(4, 2.5, 4.5)]
    placed = place_contours(contours, UNIT)
    assert (placed.outside, placed.clipped, placed.between) == (3, 1, 0)
    mask = rasterize(contours, UNIT)
    assert mask.sum() == 4 + 4
    assert mask[2, :2, :2].all()
    assert mask[4, 3:5, 3:5].all()


def test_contours_of_thinner_slices_do_not_cancel_each_other() -> None:
    thin = [square(z, 1.5, 4.5 + (z == 2.1)) for z in np.round(np.arange(1.1, 4, 0.25), 6)]
    mask = rasterize(thin, UNIT)
    assert mask[1:4].sum() == 9 + 16 + 9  # of the planes that fall to slice 2, the one at 2.1 counts
    assert place_contours(thin, UNIT).between > 0


def test_two_regions_in_one_slice_are_both_filled() -> None:
    assert rasterize([square(2, 0.5, 2.5), square(2, 4.5, 6.5)], UNIT).sum() == 8


def test_nothing_drawn_is_nothing_filled() -> None:
    assert not rasterize([], UNIT).any()


def test_contours_of_coarser_slices_are_refused() -> None:
    with pytest.raises(CaseError, match=r"contours lie 2\.0 slices apart"):
        rasterize([square(z, 1, 4) for z in (1, 3, 5)], UNIT)
    rasterize([square(z, 1, 4) for z in (1, 2, 5)], UNIT)  # a gap alone is no other grid


def test_a_contour_across_the_slices_is_refused() -> None:
    across = np.array([[1.0, 1, 1], [4, 1, 1], [4, 4, 3], [1, 4, 3]])
    with pytest.raises(CaseError, match=r"a contour crosses 2\.0 slices"):
        rasterize([across], UNIT)
