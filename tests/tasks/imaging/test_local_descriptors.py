"""Local descriptors: directions, place and brightness of what surrounds a point."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from storage.errors import CaseError
from tasks.imaging.framed_grey import content_of, standardized_grey
from tasks.imaging.local_descriptors import COLUMNS, DIRECTIONS, INTENSITIES, ORIENTATIONS, local_descriptors

EVERYWHERE = np.ones((64, 64), dtype=bool)
RAMP = np.broadcast_to(np.linspace(0, 1, 64, dtype=np.float32), (64, 64))


def describe(grey: np.ndarray, content: np.ndarray = EVERYWHERE) -> np.ndarray:
    return local_descriptors(np.ascontiguousarray(grey, dtype=np.float32), content, cell_px=4, step_px=8)


def directions(descriptors: np.ndarray) -> np.ndarray:
    """Strength of each direction over all cells of all descriptors."""
    return (descriptors[:, :ORIENTATIONS] ** 2).reshape(-1, DIRECTIONS).sum(axis=0)


@pytest.mark.parametrize(
    ("turned", "expected"), [(RAMP, 0), (RAMP.T, 2), (RAMP[:, ::-1], 4), (RAMP.T[::-1], 6)], ids=str
)
def test_it_grows_brighter_in_one_of_eight_directions(turned: np.ndarray, expected: int) -> None:
    found = directions(describe(turned))
    assert int(found.argmax()) == expected
    assert found[expected] > 0.99 * found.sum()


def test_orientations_of_a_point_have_length_one_and_ignore_lighting() -> None:
    noise = np.random.default_rng(0).random((64, 64))
    bright, dark = describe(noise), describe(0.2 * noise + 0.7)
    assert np.allclose((bright[:, :ORIENTATIONS] ** 2).sum(axis=1), 1, atol=1e-4)
    assert np.allclose(bright[:, :ORIENTATIONS], dark[:, :ORIENTATIONS], atol=0.02)
    assert (bright[:, ORIENTATIONS + 1] > 3 * dark[:, ORIENTATIONS + 1]).all()  # intensities do see it


def test_a_flat_picture_has_no_orientations_but_a_brightness() -> None:
    found = describe(np.full((64, 64), 0.25))
    assert not found[:, :ORIENTATIONS].any()
    assert np.allclose(found[:, ORIENTATIONS : ORIENTATIONS + 2], [0.25, 0], atol=1e-3)
    assert np.isfinite(found).all()


def test_a_cell_is_a_gaussian_window_on_the_map_of_a_direction() -> None:
    """Of a point whose cells, 8 pixels apart, lie inside the picture: its middle at (32, 24), theirs from 12 to 36."""
    y, x = np.mgrid[:64, :64].astype(np.float32) / 64
    grey = np.sin(5 * y) * np.cos(7 * x + y)
    [found] = local_descriptors(grey, (np.mgrid[:64, :64] == [[[32]], [[24]]]).all(axis=0), cell_px=8, step_px=8)
    down, right = np.gradient(ndimage.gaussian_filter(grey, 8 / 6))
    turn = np.arctan2(down, right) * 4 / np.pi
    away = np.stack([np.abs((turn - direction + 4) % 8 - 4) for direction in range(DIRECTIONS)], axis=-1)
    maps = ndimage.gaussian_filter(np.hypot(down, right)[..., None] * np.maximum(1 - away, 0), (4, 4, 0))
    cells = maps[np.ix_([20, 28, 36, 44], [12, 20, 28, 36])].ravel()
    cut = np.minimum(cells / (np.linalg.norm(cells) + 1e-3), 0.2)
    assert np.allclose(found[:ORIENTATIONS], np.sqrt(cut / cut.sum()), atol=1e-5)


def test_points_lie_on_a_grid_in_the_content() -> None:
    content = EVERYWHERE.copy()
    content[:, 32:] = False
    found = describe(RAMP, content)
    assert found.shape == (7 * 4, COLUMNS)
    rows, columns = found[:, ORIENTATIONS + INTENSITIES :].T
    assert np.allclose(np.unique(rows), np.arange(4, 60, 8) / 64 - 0.5)
    assert np.allclose(np.unique(columns), np.arange(4, 32, 8) / 64 - 0.5)


def test_the_grey_of_a_framed_picture_is_relative_to_its_content() -> None:
    framed = np.zeros((100, 100, 3), dtype=np.uint8)
    framed[:, :50] = np.linspace(50, 100, 50, dtype=np.uint8)[None, :, None]
    grey, content = standardized_grey(framed, 100)
    assert content[:, :50].all()
    assert not content[:, 50:].any()
    assert (grey[:, 0].max(), grey[:, 49].min(), grey[:, 50:].max()) == (0, 1, 0)
    brighter, _ = standardized_grey(np.where(framed > 0, framed * 2, 0).astype(np.uint8), 100)
    assert np.allclose(brighter, grey, atol=0.02)
    assert standardized_grey(framed, 40)[0].shape == (40, 40)


def test_a_picture_of_nothing_is_refused_and_one_of_one_grey_value_is_dark() -> None:
    nothing = np.zeros((20, 20, 3), dtype=np.uint8)
    for look in (content_of, lambda framed: standardized_grey(framed, 16)):
        with pytest.raises(CaseError, match="nothing is left"):
            look(nothing)
    assert not standardized_grey(nothing + 7, 16)[0].any()
