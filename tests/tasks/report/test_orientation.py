import numpy as np
import pytest

from storage.volume import IDENTITY_DIRECTION, Volume
from tasks.report.orientation import closest_canonical, letters


def rotated_about_head(degrees: float) -> tuple[tuple[float, float, float], ...]:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    turn = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    return tuple(tuple(row) for row in (turn @ np.array(IDENTITY_DIRECTION)).tolist())


@pytest.mark.parametrize(
    ("vector", "expected"),
    [
        ((1, 0, 0), "L"),
        ((-1, 0, 0), "R"),
        ((0, 1, 0), "P"),
        ((0, -2, 0), "A"),
        ((0, 0, 1), "H"),
        ((0, 0, -1), "F"),
        ((-0.8, -0.6, 0), "RA"),
        ((0.5, 0, -0.8), "FL"),
        ((1, 1, 1), "LPH"),
        ((0.99, 0.1, 0), "L"),
    ],
)
def test_letters_name_the_direction_most_significant_first(vector, expected):
    assert letters(vector) == expected


@pytest.mark.parametrize("vector", [(0, 0, 0), (np.nan, 0, 1)])
def test_a_vector_without_direction_is_refused(vector):
    with pytest.raises(ValueError, match="direction"):
        letters(vector)


def test_opposite_vectors_have_opposite_letters():
    assert (letters((0.8, 0.6, 0)), letters((-0.8, -0.6, 0))) == ("LP", "RA")


DIRECTIONS = {
    "axial": IDENTITY_DIRECTION,
    "axial, feet first": ((0.0, 0.0, 1.0), (0.0, 1.0, 0.0), (-1.0, 0.0, 0.0)),
    "prone": ((0.0, 0.0, -1.0), (0.0, -1.0, 0.0), (1.0, 0.0, 0.0)),
    "sagittal": ((1.0, 0.0, 0.0), (0.0, 0.0, 1.0), (0.0, -1.0, 0.0)),
    "coronal": ((0.0, 0.0, 1.0), (1.0, 0.0, 0.0), (0.0, -1.0, 0.0)),
    "oblique": rotated_about_head(30),
    "left-handed sagittal": ((-1.0, 0.0, 0.0), (0.0, 0.0, 1.0), (0.0, -1.0, 0.0)),
}


@pytest.mark.parametrize("direction", DIRECTIONS.values(), ids=DIRECTIONS.keys())
def test_turning_keeps_every_voxel_at_its_place(direction):
    array = np.arange(2 * 3 * 4).reshape(2, 3, 4)
    volume = Volume(array, (5.0, 2.0, 1.0), (7.0, -8.0, 9.0), direction)
    turned = closest_canonical(volume)
    for index in np.ndindex(turned.shape):
        source = np.rint(volume.to_index(turned.to_world_mm(index))).astype(int)
        assert turned.array[index] == array[tuple(source)]


@pytest.mark.parametrize("direction", DIRECTIONS.values(), ids=DIRECTIONS.keys())
def test_turned_axes_run_to_head_back_and_left(direction):
    turned = closest_canonical(Volume(np.zeros((2, 3, 4)), (1.0, 1.0, 1.0), direction=direction))
    towards = [letters(column)[0] for column in np.asarray(turned.direction).T]
    assert towards == ["H", "P", "L"]


def test_an_oblique_volume_stays_oblique():
    turned = closest_canonical(Volume(np.zeros((2, 3, 4)), (1.0, 1.0, 1.0), direction=rotated_about_head(30)))
    assert letters(np.asarray(turned.direction)[:, 2]) == "LP"
