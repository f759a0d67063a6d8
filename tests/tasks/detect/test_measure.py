"""Sizes and intensities of findings, on masks whose answer is known."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from storage.volume import IDENTITY_DIRECTION, Volume
from tasks.detect.measure import axes_mm, centroid_mm, intensity_statistics, touches_border

BoolArray = npt.NDArray[np.bool_]
MM = (1.0, 1.0, 1.0)


def plane(*rows: str) -> BoolArray:
    """One slice drawn with # and dots."""
    return np.array([[[letter == "#" for letter in row] for row in rows]])


def ellipse(long_mm: float, short_mm: float, degrees: float, pixel_mm: float) -> BoolArray:
    """An ellipse in the middle of one slice; ``degrees`` from the row axis."""
    size = int(long_mm / pixel_mm) + 8
    y, x = (np.indices((size, size)) - (size - 1) / 2) * pixel_mm
    a = np.deg2rad(degrees)
    along, across = x * np.cos(a) + y * np.sin(a), y * np.cos(a) - x * np.sin(a)
    inside: BoolArray = (2 * along / long_mm) ** 2 + (2 * across / short_mm) ** 2 <= 1
    return inside[None]


def test_a_single_voxel_is_as_long_and_as_wide_as_its_diagonals() -> None:
    assert axes_mm(plane("...", ".#.", "..."), MM) == pytest.approx((np.sqrt(2), np.sqrt(2)))
    assert axes_mm(plane("#"), (5.0, 3.0, 4.0)) == pytest.approx((5.0, 3.75))  # 3 · 5/4


def test_a_bar_of_three_voxels_by_hand() -> None:
    long_mm, short_mm = axes_mm(plane(".....", ".###.", "....."), MM)
    assert long_mm == pytest.approx(np.sqrt(10))
    assert short_mm == pytest.approx(np.sqrt(10) / 3)  # across the diagonal, from one long side to the other


def test_a_bar_is_measured_in_millimetres_along_each_axis() -> None:
    assert axes_mm(plane("###"), (9.0, 0.5, 2.0))[0] == pytest.approx(np.hypot(0.5, 6.0))
    assert axes_mm(plane("#", "#", "#"), (9.0, 0.5, 2.0))[0] == pytest.approx(np.hypot(1.5, 2.0))


def test_a_square_is_as_long_as_wide() -> None:
    assert axes_mm(plane("####", "####", "####", "####"), MM) == pytest.approx((4 * np.sqrt(2), 4 * np.sqrt(2)))


def test_the_short_axis_is_a_line_within_the_outline_not_the_extent_of_the_shadow() -> None:
    """A right triangle with legs 8 and 6: the height on its hypotenuse of 10 is 4.8."""
    pixel = 0.02
    y, x = np.indices((300, 400))
    triangle = (x / 400 + y / 300 < 1)[None]
    assert axes_mm(triangle, (1.0, pixel, pixel)) == pytest.approx((10.0, 4.8), abs=0.06)
    slanted = plane("##....", "..##..", "....##")  # about 6.7 by 1.1; its corners reach 1.3 beside the axis
    long_mm, short_mm = axes_mm(slanted, MM)
    assert long_mm == pytest.approx(np.hypot(6, 3))
    assert short_mm < np.hypot(6, 3) / 3


@pytest.mark.parametrize("pixel_mm", [0.5, 1.0])
@pytest.mark.parametrize("diameter_mm", [12.0, 30.0])
def test_a_disc_has_its_diameter_both_ways(diameter_mm: float, pixel_mm: float) -> None:
    disc = ellipse(diameter_mm, diameter_mm, 0, pixel_mm)
    assert axes_mm(disc, (3.0, pixel_mm, pixel_mm)) == pytest.approx((diameter_mm, diameter_mm), abs=1.5 * pixel_mm)


@pytest.mark.parametrize("degrees", [0, 17, 45, 90, 133])
def test_an_ellipse_has_its_axes_in_any_direction(degrees: float) -> None:
    mask = ellipse(40.0, 16.0, degrees, 0.5)
    assert axes_mm(mask, (3.0, 0.5, 0.5)) == pytest.approx((40.0, 16.0), abs=1.0)


def test_axes_lie_in_one_slice_the_one_with_the_longest() -> None:
    mask = np.zeros((5, 9, 9), dtype=bool)
    mask[:, 4, 4] = True  # long across the slices
    mask[1, 4, 2:5] = True
    mask[3, 3:7, 3:7] = True  # the longest diameter is a diagonal here
    assert axes_mm(mask, (10.0, 1.0, 1.0)) == pytest.approx((4 * np.sqrt(2), 4 * np.sqrt(2)))


def test_of_two_slices_with_the_same_longest_diameter_the_order_does_not_matter() -> None:
    mask = np.concatenate([plane("####", "####", "####"), plane("####", "....", "...#"), plane(*["####"] * 3)])
    assert axes_mm(mask, MM) == axes_mm(mask[::-1], MM)


def test_no_voxel_has_no_axes() -> None:
    assert axes_mm(np.zeros((2, 3, 4), dtype=bool), MM) == (0.0, 0.0)


def test_intensities_by_hand() -> None:
    found = intensity_statistics([1.0, 2.0, 3.0, 10.0], "SUV")
    assert found.model_dump() == {
        "unit": "SUV",
        "mean": 4.0,
        "sd": 3.5355,  # the root of 12.5
        "minimum": 1.0,
        "median": 2.5,
        "maximum": 10.0,
    }


def test_the_centroid_is_the_mean_of_the_voxel_centres_in_lps() -> None:
    mask = np.zeros((4, 5, 6), dtype=bool)
    mask[1, 2, 3:5] = True
    mask[2, 2, 3:5] = True
    volume = Volume(mask, (3.0, 2.0, 1.0), (100.0, 200.0, 300.0))
    assert centroid_mm(volume) == (103.5, 204.0, 304.5)
    sagittal = Volume(mask, (3.0, 2.0, 1.0), (100.0, 200.0, 300.0), ((1, 0, 0), (0, 0, 1), (0, -1, 0)))
    assert centroid_mm(sagittal) == (104.5, 203.5, 296.0)  # slices to L, rows to the feet, columns to P


@pytest.mark.parametrize("corner", [(0, 2, 2), (4, 2, 2), (2, 0, 2), (2, 4, 2), (2, 2, 0), (2, 2, 4)])
def test_a_mask_touches_each_of_the_six_faces(corner: tuple[int, int, int]) -> None:
    mask = np.zeros((5, 5, 5), dtype=bool)
    mask[1:4, 1:4, 1:4] = True
    assert not touches_border(mask)
    mask[corner] = True
    assert touches_border(mask)


def test_the_identity_direction_is_axial() -> None:
    assert np.array_equal(np.asarray(IDENTITY_DIRECTION) @ [1, 0, 0], [0, 0, 1])
