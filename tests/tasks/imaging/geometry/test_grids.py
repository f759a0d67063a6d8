"""Grids move and the patient does not: a place in mm shows the same before and after, and masks go with their image."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from storage.volume import IDENTITY_DIRECTION, Volume
from tasks.imaging.geometry import crop_body, crop_box, flip, pad, reorient, resample, resize, rotate, scale, shear
from tasks.imaging.grid_step import GridStep
from tasks.imaging.grids import follow, moved, regridded
from tasks.imaging.placement import Placement
from tasks.imaging.step import View

COS, SIN = np.cos(np.deg2rad(25)), np.sin(np.deg2rad(25))
OBLIQUE = ((0.0, -SIN, COS), (0.0, COS, SIN), (1.0, 0.0, 0.0))
LEFT_HANDED = ((0.0, -SIN, COS), (0.0, COS, SIN), (-1.0, 0.0, 0.0))
SAGITTAL = ((1.0, 0.0, 0.0), (0.0, 0.0, 1.0), (0.0, -1.0, 0.0))
STEPS: list[GridStep] = [
    crop_body.Settings(margin_mm=2, thickness_mm=0),
    crop_box.Settings(fraction=0.8, centre_mm=(1.0, -2.0, 0.5)),
    crop_box.Settings(size_mm=(25.0, 20.0, 16.0)),
    flip.Settings(axes=("z", "x")),
    pad.Settings(margin_mm=4.0, multiple_of=5),
    reorient.Settings(frame="RAS"),
    reorient.Settings(frame="PIR"),
    resample.Settings(spacing_mm=1.0),
    resample.Settings(spacing_mm=(1.7, 1.1, 2.2), interpolation="cubic"),
    resize.Settings(shape=(15, 30, 22), keep_aspect=True),
    resize.Settings(shape=(31, 17), interpolation="cubic"),
    rotate.Settings(degrees=37, axis="z", extent="all"),
    rotate.Settings(degrees=-21, axis="y", extent="all", interpolation="cubic"),
    rotate.Settings(degrees=90, axis="x", extent="all"),
    scale.Settings(factor=(0.8, 1.3, 1.1), extent="all"),
]
PLACE = (5.3, 9.6, 8.2)
"""Voxel coordinates of the blob's centre."""


def blob(direction: Any) -> Volume:
    """A bright ball on a dark ground, around ``PLACE``."""
    grid = Volume(np.zeros((12, 20, 18)), (3.0, 1.5, 2.0), (-40.0, 12.5, 900.0), direction, "SUV")
    index = np.moveaxis(np.indices(grid.shape), 0, -1)
    far = np.linalg.norm((index - PLACE) * np.array(grid.spacing_mm), axis=-1)
    return grid.with_array(np.exp(-((far / 5.0) ** 2)))


def centroid_mm(volume: Volume) -> Any:
    weights = np.clip(volume.array, 0.05, None) - 0.05
    index = np.moveaxis(np.indices(volume.shape), 0, -1)
    return (volume.to_world_mm(index) * weights[..., None]).sum(axis=(0, 1, 2)) / weights.sum()


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.name)
@pytest.mark.parametrize("direction", [IDENTITY_DIRECTION, OBLIQUE, LEFT_HANDED, SAGITTAL])
def test_a_bright_place_stays_at_the_same_mm(step: GridStep, direction: Any) -> None:
    before = blob(direction)
    after = regridded(before, step)
    assert after.unit == "SUV"
    assert np.linalg.norm(centroid_mm(after) - centroid_mm(before)) < 0.15
    brightest = after.to_world_mm(np.unravel_index(after.array.argmax(), after.shape))
    reach = np.linalg.norm(after.spacing_mm) / 2 + 0.5
    assert np.linalg.norm(brightest - before.to_world_mm(PLACE)) < reach
    assert after.array.max() == pytest.approx(before.array.max(), abs=0.12)


@pytest.mark.parametrize("step", [s for s in STEPS if s.interpolation == "nearest"], ids=lambda step: step.name)
def test_where_values_are_copied_each_stays_exactly_at_its_mm(step: GridStep) -> None:
    before = blob(OBLIQUE)
    numbers = before.with_array(np.arange(1.0, before.array.size + 1).reshape(before.shape))
    view = View.of(before.array, before.spacing_mm, unit="SUV", direction=OBLIQUE)
    measured = step.measure(lambda: [(view.start, before.array)], view)
    view = View(view.spacing_mm, view.shape, view.start, view.unit, measured, {}, OBLIQUE)
    after = follow(numbers, step, view)
    inside = np.argwhere(after.array > 0)
    assert len(inside) > 100
    old = numbers.to_index(after.to_world_mm(inside))
    assert np.allclose(old, np.rint(old), atol=1e-9)
    values = numbers.array[tuple(np.rint(old).astype(int).T)]
    assert np.array_equal(after.array[tuple(inside.T)], values)


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.name)
def test_a_mask_follows_its_image_voxel_for_voxel(step: GridStep) -> None:
    image = blob(OBLIQUE)
    labels = image.with_array((image.array > 0.3).astype(np.uint8) * 7, unit="label")
    view = View.of(image.array, image.spacing_mm, unit="SUV", direction=OBLIQUE)
    view = View(
        view.spacing_mm, view.shape, view.start, "SUV", step.measure(lambda: [(view.start, image.array)], view), {},
        OBLIQUE,
    )  # fmt: skip
    after, mask = regridded(image, step), follow(labels, step, view)
    assert (mask.spacing_mm, mask.origin_mm, mask.direction) == (after.spacing_mm, after.origin_mm, after.direction)
    assert mask.array.dtype == np.uint8
    assert mask.unit == "label"
    assert set(np.unique(mask.array)) == {0, 7}
    agree = (mask.array > 0) == (after.array > 0.3)
    unsure = np.abs(after.array - 0.3) < 0.2
    assert agree[~unsure].all()


def test_a_step_that_shears_has_no_grid() -> None:
    with pytest.raises(ValueError, match="the placement shears"):
        regridded(blob(OBLIQUE), shear.Settings())


def test_a_mask_on_another_grid_is_refused() -> None:
    image = blob(OBLIQUE)
    mask = Volume(np.zeros((3, 4, 5), np.uint8), (1.0, 1.0, 1.0))
    with pytest.raises(ValueError, match="expected a mask of the image's shape"):
        follow(mask, flip.Settings(), View.of(image.array, image.spacing_mm))


def test_an_array_of_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match=r"the placement's shape \(2, 2, 2\)"):
        moved(blob(OBLIQUE), Placement((2, 2, 2), np.eye(3), np.zeros(3)), np.zeros((2, 2, 3)))


def test_flipping_twice_gives_the_same_volume() -> None:
    before = blob(LEFT_HANDED)
    step = flip.Settings(axes=("z", "y", "x"))
    after = regridded(regridded(before, step), step)
    assert np.array_equal(after.array, before.array)
    assert np.allclose(after.affine, before.affine, rtol=0, atol=1e-9)


def test_a_direction_of_rounded_numbers_is_kept() -> None:
    rounded = tuple(tuple(round(float(v), 4) for v in row) for row in OBLIQUE)
    before = Volume(np.zeros((3, 4, 5)), (3.0, 1.5, 2.0), direction=rounded)  # type: ignore[arg-type]
    assert np.allclose(regridded(before, pad.Settings()).direction, rounded, atol=1e-3)
