"""Gradient histograms of ramps whose direction is known, against scikit-image, and what does not change them."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError
from skimage.feature import hog

from tasks.extract.families.hog import Settings, compute, features
from tasks.extract.region import Region
from tasks.imaging.oriented_gradients import face_axes, gradient_histograms, votes

TIGHT = Settings(context=1.0, cells=1, samples=16)


def described(image: np.ndarray, settings: Settings = TIGHT, spacing: float | tuple = 1.0) -> dict[str, float]:
    spacing_mm = spacing if isinstance(spacing, tuple) else (spacing,) * 3
    return compute(Region(image, np.ones(image.shape, bool), spacing_mm, "HU"), settings)


def part(values: dict[str, float], name: str) -> np.ndarray:
    return np.array([value for key, value in values.items() if key.startswith(name)])


def ramp(direction: tuple[float, float, float], n: int = 16) -> np.ndarray:
    return np.tensordot(np.array(direction), np.indices((n, n, n)), axes=1)


@pytest.mark.parametrize(("solid", "count"), [("dodecahedron", 6), ("icosahedron", 10)])
def test_the_axes_of_a_solid_are_evenly_spread(solid: str, count: int) -> None:
    axes = face_axes(solid)
    assert axes.shape == (count, 3)
    np.testing.assert_allclose(np.linalg.norm(axes, axis=1), 1)
    np.testing.assert_allclose(axes.T @ axes, np.eye(3) * count / 3, atol=1e-12)
    alike = np.sort(np.abs(axes @ axes.T), axis=1)[:, :-1]
    assert np.ptp(alike[:, -1]) < 1e-12  # each has its nearest neighbour at the same angle


@pytest.mark.parametrize("solid", ["dodecahedron", "icosahedron"])
def test_a_gradient_along_an_axis_votes_for_it_alone_with_its_length_from_either_side(solid: str) -> None:
    axes = face_axes(solid)
    np.testing.assert_allclose(votes(3.0 * axes, axes), 3.0 * np.eye(len(axes)), atol=1e-12)
    np.testing.assert_allclose(votes(-3.0 * axes, axes), 3.0 * np.eye(len(axes)), atol=1e-12)
    assert (votes(np.zeros((1, 3)), axes) == 0).all()


def test_every_direction_votes_with_its_length() -> None:
    gradients = np.random.default_rng(0).normal(size=(500, 3))
    for solid in ("dodecahedron", "icosahedron"):
        found = votes(gradients, face_axes(solid))
        np.testing.assert_allclose(np.linalg.norm(found, axis=1), np.linalg.norm(gradients, axis=1))


def test_a_ramp_along_an_axis_fills_the_bins_of_that_axis_in_every_cell() -> None:
    axis = face_axes("dodecahedron")[2]
    found = gradient_histograms(ramp(tuple(5 * axis), 8), cells=2, solid="dodecahedron")
    assert found.shape == (2, 2, 2, 6)
    np.testing.assert_allclose(found[..., 2], 5 * 4**3)
    assert np.delete(found, 2, axis=-1).max() < 1e-9


@pytest.mark.parametrize(("direction", "degrees"), [((0, 0, 1), "0"), ((0, 1, 0), "80"), ((0, 1, 1), "40")])
def test_the_plane_names_the_orientation_of_a_ramp(direction: tuple, degrees: str) -> None:
    values = described(ramp(direction))
    plane = {name: value for name, value in values.items() if name.startswith("plane")}
    assert max(plane, key=plane.__getitem__) == f"plane_y0_x0_{degrees}deg"
    # scikit-image has no gradient across the border's pixels: there a slanting ramp is a straight one.
    assert plane[f"plane_y0_x0_{degrees}deg"] > 0.8


def test_the_plane_is_that_of_scikit_image_on_the_largest_slice() -> None:
    image = np.random.default_rng(1).normal(size=(16, 16, 16))
    mask = np.zeros(image.shape, bool)
    mask[:, 4:12, 4:12] = True
    mask[11] = True
    values = compute(Region(image, mask, (1.0, 1.0, 1.0), "HU"), Settings(context=1.0, cells=2))
    expected = hog(image[11], orientations=9, pixels_per_cell=(8, 8), cells_per_block=(2, 2), block_norm="L2-Hys")
    np.testing.assert_allclose(part(values, "plane"), expected, atol=1e-12)


def test_shift_scale_and_inversion_of_intensities_change_nothing() -> None:
    image = np.random.default_rng(2).normal(size=(12, 14, 16)) * 100
    once = described(image, Settings())
    assert described(-3.0 * image + 40.0, Settings()) == pytest.approx(once, abs=1e-6)


def test_a_turn_by_a_quarter_in_the_slice_moves_the_cells_and_turns_the_orientations() -> None:
    image = np.random.default_rng(3).normal(size=(16, 16, 16))
    settings = Settings(context=1.0, orientations=8)
    one, other = (described(turned, settings) for turned in (image, np.rot90(image, axes=(1, 2)).copy()))
    before, after = (part(v, "plane").reshape(2, 2, 8) for v in (one, other))
    np.testing.assert_allclose(after, np.roll(np.rot90(before), 4, axis=-1), atol=1e-9)


@pytest.mark.parametrize("solid", ["dodecahedron", "icosahedron"])
def test_axes_exchanged_in_turn_exchange_the_bins_of_the_cube(solid: str) -> None:
    # The solids have no quarter turns, but the thirds of a turn that lead z to y to x.
    image = np.random.default_rng(4).normal(size=(8, 8, 8))
    settings = Settings(context=1.0, samples=8, solid=solid)
    one, other = (described(turned, settings) for turned in (image, image.transpose(2, 0, 1).copy()))
    assert sorted(part(other, "cube")) == pytest.approx(sorted(part(one, "cube")))


def test_the_same_object_in_thick_slices_has_the_same_directions() -> None:
    fine = ramp((1.0, 2.0, 0.5), 32)
    thick = fine.reshape(8, 4, 32, 32).mean(axis=1)
    one, other = described(fine, Settings(context=1.0)), described(thick, Settings(context=1.0), (4.0, 1.0, 1.0))
    # Beyond the last slice's centre the image goes on with its values: the outermost planes are flat along z.
    np.testing.assert_allclose(part(other, "cube"), part(one, "cube"), atol=0.1)


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 5, 7), (6, 1, 1), (5, 5, 5)])
def test_where_there_are_no_gradients_all_is_zero(shape: tuple[int, int, int]) -> None:
    assert np.abs(list(described(np.full(shape, -812.3), Settings()).values())).max() < 1e-6


def test_there_are_84_features_unless_asked_for_more() -> None:
    assert len(features(Settings())) == 4 * 9 + 8 * 6 == 84
    assert len(features(Settings(cells=1, solid="icosahedron"))) == 9 + 10
    with pytest.raises(ValidationError, match="multiple of 3 cells"):
        Settings(cells=3)
