"""Steps on the grid, computed by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from scipy import ndimage

from storage.errors import CaseError
from storage.volume import IDENTITY_DIRECTION
from tasks.imaging.geometry import crop_box, flip, pad, reorient, resample, resize, rotate, scale, shear
from tasks.imaging.geometry.crop_box import crop_layers
from tasks.imaging.step import View, apply_step

RNG = np.random.default_rng(0)
PICTURE = np.arange(6.0).reshape(2, 3)


def placed(step: Any, shape: Any, spacing_mm: Any, **more: Any) -> Any:
    return step.placement(View(spacing_mm, shape, (0,) * len(shape), **more))


def test_resample_gives_ibsis_count_of_voxels() -> None:
    shapes = [
        placed(resample.Settings(spacing_mm=s), (7, 9, 11), (3.0, 2.0, 1.5)).shape for s in (2.0, (21.0, 9.0, 5.5))
    ]
    assert shapes == [(11, 9, 9), (1, 2, 3)]
    assert placed(resample.Settings(spacing_mm=(1.0, 2.0)), (7, 9, 11), (3.0, 2.0, 1.5)).shape == (7, 18, 9)
    assert placed(resample.Settings(spacing_mm=(5.0, 1.0, 0.5)), (10, 10), (1.0, 1.0)).shape == (10, 20)


def test_resample_keeps_ibsis_centre() -> None:
    placement = placed(resample.Settings(spacing_mm=1.0), (1, 2), (1.0, 2.0))
    assert placement.offset.tolist() == [0.0, -0.25]
    assert apply_step(resample.Settings(), np.array([[0.0, 8.0]]), (1.0, 2.0)).tolist() == [[0, 2, 6, 8]]


def test_a_spacing_that_is_the_same_but_for_rounding_copies() -> None:
    image = RNG.normal(size=(3, 4, 5)).astype(np.float32)
    assert np.array_equal(apply_step(resample.Settings(spacing_mm=0.7), image, (0.7 + 1e-8, 0.7, 0.7 - 1e-8)), image)


def test_resize_covers_the_same_field() -> None:
    result = apply_step(resize.Settings(shape=(1, 6), interpolation="nearest"), PICTURE, (1.0, 1.0))
    assert result.tolist() == [[3, 3, 4, 4, 5, 5]]
    assert placed(resize.Settings(shape=4), (2, 8, 16), (1.0, 1.0, 1.0)).spacing_after((5.0, 1.0, 1.0)) == (2.5, 2, 4)


def test_resize_that_keeps_the_aspect_pads_what_is_left() -> None:
    step = resize.Settings(shape=(4, 3), keep_aspect=True, outside=-1.0)
    assert apply_step(step, PICTURE, (1.0, 1.0)).tolist() == [[-1, -1, -1], [0, 1, 2], [3, 4, 5], [-1, -1, -1]]


def test_two_numbers_leave_the_slices_of_a_volume_as_they_are() -> None:
    assert placed(resize.Settings(shape=(64, 32), keep_aspect=True), (9, 128, 128), (3.0, 1.0, 1.0)).shape == (
        9,
        64,
        32,
    )


def test_pad_shares_out_what_is_missing_and_adds_the_odd_voxel_at_the_end() -> None:
    result = apply_step(pad.Settings(multiple_of=4, outside=9.0), PICTURE, (1.0, 1.0))
    assert result.tolist() == [[9, 9, 9, 9], [0, 1, 2, 9], [3, 4, 5, 9], [9, 9, 9, 9]]
    assert placed(pad.Settings(margin_mm=(3.0, 1.0), multiple_of=1), (2, 3), (2.0, 0.5)).shape == (6, 7)
    assert placed(pad.Settings(at_least=(1, 9, 5), multiple_of=(1, 2, 3)), (4, 7), (1.0, 1.0)).shape == (10, 9)


def test_what_is_padded_is_air_in_a_ct_and_black_in_others() -> None:
    image = np.full((1, 1), 40, np.int16)
    assert apply_step(pad.Settings(multiple_of=2), image, (1.0, 1.0), unit="HU").tolist() == [[40, -1024], [-1024] * 2]
    assert apply_step(pad.Settings(multiple_of=2), image, (1.0, 1.0)).tolist() == [[40, 0], [0, 0]]
    assert apply_step(pad.Settings(multiple_of=2), image, (1.0, 1.0), unit="z").tolist() == [[40, 40], [40, 40]]


def test_crop_box_takes_a_size_or_a_fraction_around_the_centre() -> None:
    image = np.arange(10.0)[None]
    for step, expected in [
        (crop_box.Settings(size_mm=(9.0, 8.0)), [3, 4, 5, 6]),
        (crop_box.Settings(fraction=(1.0, 0.4)), [3, 4, 5, 6]),
        (crop_box.Settings(fraction=(1.0, 0.4), centre_mm=(0.0, 4.0)), [5, 6, 7, 8]),
        (crop_box.Settings(fraction=(1.0, 0.4), centre_mm=(0.0, 40.0)), [9]),
        (crop_box.Settings(size_mm=(1.0, 100.0)), list(range(10))),
        (crop_box.Settings(size_mm=0.1), [5]),
    ]:
        assert apply_step(step, image, (2.0, 2.0)).tolist() == [expected]


def test_layers_show_the_same_centre_near_and_from_afar() -> None:
    image = np.zeros((33, 33, 33), np.int16)
    image[16, 16, 16] = 100
    layers = crop_layers(image, (16, 16, 16), (5.0, 15.0, 30.0), (1.0, 1.0, 1.0), (5, 5, 5))
    assert layers.shape == (3, 5, 5, 5)
    assert np.array_equal(layers[0], image[14:19, 14:19, 14:19])
    peaks = layers.reshape(3, -1).argmax(axis=1)
    assert peaks.tolist() == [62, 62, 62]  # the middle of 125
    assert layers[0].max() > layers[1].max() > layers[2].max()


def test_layers_beyond_the_image_take_its_border_or_the_number() -> None:
    picture = np.full((6, 6, 3), 5, np.uint8)
    assert np.allclose(crop_layers(picture, (0, 0), (4.0, 20.0), (1.0, 1.0), (4, 4)), 5)
    layers = crop_layers(picture, (0, 0), (20.0,), (1.0, 1.0), (4, 4), interpolation="nearest", outside=0)
    assert layers.shape == (1, 4, 4, 3)
    assert layers[0, :, :, 0].tolist() == [[0] * 4, [0] * 4, [0, 0, 5, 0], [0] * 4]


@pytest.mark.parametrize("degrees", [90, 180, 270, -90])
def test_a_right_angle_turns_as_numpy_does_without_arithmetic(degrees: int) -> None:
    step = rotate.Settings(degrees=degrees, extent="all", interpolation="nearest")
    image = RNG.integers(0, 100, (3, 4, 5)).astype(np.int16)
    assert np.array_equal(apply_step(step, image, (1.0, 1.0, 1.0)), np.rot90(image, degrees // 90, axes=(1, 2)))
    for axis, plane in (("y", (0, 2)), ("x", (0, 1))):
        turned = apply_step(step.model_copy(update={"axis": axis}), image, (1.0, 1.0, 1.0))
        assert np.array_equal(turned, np.rot90(image, degrees // 90, axes=plane))


def test_a_turn_is_scipys() -> None:
    image = ndimage.gaussian_filter(RNG.normal(size=(31, 31)), 2.0)
    orders: dict[Any, Any] = {"linear": 1, "cubic": 3}
    for interpolation, order in orders.items():
        ours = apply_step(rotate.Settings(degrees=20, interpolation=interpolation), image, (1.0, 1.0))
        theirs = ndimage.rotate(image, 20, reshape=False, order=order, mode="mirror")
        assert np.allclose(ours[8:-8, 8:-8], theirs[8:-8, 8:-8], atol=1e-9)


def test_a_turn_is_round_in_mm_where_voxels_are_not_square() -> None:
    y, x = np.indices((40, 80))
    disc = (((y - 19.5) * 2.0) ** 2 + (x - 39.5) ** 2 < 25.0**2).astype(np.float32)
    turned = apply_step(rotate.Settings(degrees=45), disc, (2.0, 1.0))
    assert np.abs(turned - disc).sum() < 0.05 * disc.sum()


def test_a_grid_that_holds_all_loses_nothing() -> None:
    image = np.ones((10, 20), np.float32)
    turned = apply_step(rotate.Settings(degrees=30, extent="all"), image, (1.0, 1.0))
    assert turned.shape == (19, 23)  # 10 cos 30 + 20 sin 30 and 20 cos 30 + 10 sin 30
    assert turned.sum() == pytest.approx(200, rel=0.02)


def test_a_picture_turns_about_z_only() -> None:
    with pytest.raises(CaseError, match="a picture turns about z only"):
        apply_step(rotate.Settings(axis="x"), PICTURE, (1.0, 1.0))


def test_scale_magnifies_about_the_centre() -> None:
    image = np.array([[0, 1, 2, 3]], np.int16)
    assert apply_step(scale.Settings(factor=(1.0, 2.0), interpolation="nearest"), image, (1.0, 1.0)).tolist() == [
        [1, 1, 2, 2]
    ]
    wide = apply_step(scale.Settings(factor=(1.0, 2.0), interpolation="nearest", extent="all"), image, (1.0, 1.0))
    assert wide.tolist() == [[0, 0, 1, 1, 2, 2, 3, 3]]
    small = apply_step(scale.Settings(factor=(1.0, 0.5), outside=-9.0), np.ones((1, 4)), (1.0, 1.0))
    assert np.allclose(small, [[-9, 1, 1, -9]])


def test_shear_pushes_rows_in_proportion_to_their_height_in_mm() -> None:
    image = np.zeros((5, 9), np.int16)
    image[:, 4] = 1
    step = shear.Settings(degrees=45, along="x", across="y", interpolation="nearest")
    assert apply_step(step, image, (1.0, 1.0)).argmax(axis=1).tolist() == [2, 3, 4, 5, 6]
    assert apply_step(step, image, (0.5, 1.0)).argmax(axis=1).tolist()[::4] == [3, 5]


def test_shear_wants_two_axes() -> None:
    with pytest.raises(ValidationError, match="expected two different axes; got 'x' twice"):
        shear.Settings(along="x", across="x")


def test_flip_reverses_the_axes_that_are_there() -> None:
    assert apply_step(flip.Settings(axes=("z", "x")), PICTURE, (1.0, 1.0)).tolist() == [[2, 1, 0], [5, 4, 3]]


@pytest.mark.parametrize(
    ("frame", "expected"), [("LPS", lambda a: a), ("RAS", lambda a: a[:, ::-1, ::-1]), ("SPL", lambda a: a.T)]
)
def test_reorient_puts_axes_into_the_frames_order(frame: str, expected: Any) -> None:
    image = RNG.integers(0, 100, (3, 4, 5)).astype(np.int16)
    result = apply_step(reorient.Settings(frame=frame), image, (1.0, 1.0, 1.0), direction=IDENTITY_DIRECTION)
    assert np.array_equal(result, expected(image))


def test_reorient_takes_the_best_axis_even_where_two_are_nearest_to_one() -> None:
    a, b = np.cos(np.deg2rad(44)), np.sin(np.deg2rad(44))
    direction = ((0.0, b, a), (0.0, a, -b), (1.0, 0.0, 0.0))
    image = RNG.integers(0, 100, (3, 4, 5)).astype(np.int16)
    assert np.array_equal(apply_step(reorient.Settings(), image, (1.0, 1.0, 1.0), direction=direction), image)


def test_reorient_wants_a_direction_except_of_pictures() -> None:
    assert np.array_equal(apply_step(reorient.Settings(), PICTURE, (1.0, 1.0)), PICTURE)
    with pytest.raises(CaseError, match="does not say how it lies in the patient"):
        apply_step(reorient.Settings(), PICTURE[None], (1.0, 1.0, 1.0))


@pytest.mark.parametrize("frame", ["LP", "LPX", "LRS", "lps", "LPSA", ""])
def test_what_is_no_frame_is_refused(frame: str) -> None:
    with pytest.raises(ValidationError, match="expected one letter each of L or R, P or A, S or I"):
        reorient.Settings(frame=frame)
