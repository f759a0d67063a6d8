"""The midline of bodies whose plane of symmetry is known."""

from __future__ import annotations

import numpy as np
import pytest

from storage.volume import Volume
from tasks.imaging.midline import midline, towards_left

LEFT = (0.0, 0.0, 1.0)


def body(tilt_degrees: float = 0.0, centre: tuple[float, float, float] = (40, 60, 70), spacing=(2.0, 1.0, 1.0)):
    """Two halves alike on both sides of a plane that is turned about z, and not alike in front and behind."""
    z, y, x = (np.indices((40, 120, 140)) * np.reshape(spacing, (3, 1, 1, 1))) - np.reshape(centre, (3, 1, 1, 1))
    turn = np.radians(tilt_degrees)
    across, along = np.cos(turn) * x + np.sin(turn) * y, np.cos(turn) * y - np.sin(turn) * x
    trunk = (across / 45) ** 2 + (along / 30) ** 2 + (z / 60) ** 2 <= 1
    return trunk & ((along > -15) | (np.abs(across) > 8))


@pytest.mark.parametrize("tilt", [0.0, 8.0, -13.0])
@pytest.mark.parametrize("shift", [0.0, 6.5])
def test_the_plane_is_found_where_the_body_was_put(tilt: float, shift: float) -> None:
    centre = (40.0, 60.0, 70.0 + shift)
    found = midline(body(tilt, centre), spacing_mm=(2.0, 1.0, 1.0), across=LEFT)
    assert found.symmetry > 0.95
    assert found.normal == pytest.approx((0, np.sin(np.radians(tilt)), np.cos(np.radians(tilt))), abs=0.02)
    assert float(found.distance_mm(centre)) == pytest.approx(0, abs=0.5)


def test_distances_are_positive_on_the_left_in_mm() -> None:
    found = midline(body(), spacing_mm=(2.0, 1.0, 1.0), across=LEFT)
    assert found.distance_mm([(40, 60, 90), (10, 20, 40)]) == pytest.approx([20, -30], abs=0.5)
    mirrored = midline(body(), spacing_mm=(2.0, 1.0, 1.0), across=(0.0, 0.0, -1.0))
    assert mirrored.distance_mm((40, 60, 90)) == pytest.approx(-20, abs=0.5)


def test_a_shape_without_symmetry_says_so() -> None:
    half = body() & (np.indices((40, 120, 140))[2] + np.indices((40, 120, 140))[1] > 135)
    assert midline(half, spacing_mm=(2.0, 1.0, 1.0), across=LEFT).symmetry < 0.85


def test_one_voxel_is_symmetric_about_itself() -> None:
    mask = np.zeros((5, 5, 5), bool)
    mask[2, 3, 4] = True
    assert float(midline(mask, spacing_mm=(1.0, 1.0, 1.0), across=LEFT).distance_mm((2, 3, 4))) == pytest.approx(
        0, abs=0.1
    )


def test_the_left_of_a_sagittal_image_lies_along_its_slices() -> None:
    array = np.zeros((2, 2, 2))
    assert towards_left(Volume(array, (1.0, 1.0, 1.0))) == (0.0, 0.0, 1.0)
    sagittal = ((1.0, 0.0, 0.0), (0.0, 0.0, 1.0), (0.0, -1.0, 0.0))
    assert towards_left(Volume(array, (1.0, 1.0, 1.0), direction=sagittal)) == (1.0, 0.0, 0.0)
