"""Augmentation: reproducible, aligned with the mask, and true to the label."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from scipy import ndimage

from tasks.imaging.augment import CHANGES, Sample, augmented, sample_rng
from tasks.imaging.augmentation.appearance import bias_field, bias_terms, thick_slices, with_contrast
from tasks.imaging.augmentation.movement import drawn_movement
from tasks.imaging.augmentation.settings import Settings
from tasks.imaging.step import View

DIGEST = "0123456789abcdef" * 4
SPACING = (2.0, 1.0, 1.0)
SHAPE = (20, 36, 32)
NEVER = {name: {"probability": 0.0} for name in CHANGES}
MOVEMENTS = ("flip", "rotation", "scale", "elastic")
STRONG: dict[str, dict[str, Any]] = {
    "flip": {"left_right": True},
    "rotation": {"degrees": 40.0, "axes": ("z", "y", "x")},
    "scale": {"amount": 0.3},
    "elastic": {"control_mm": 15.0, "max_mm": 6.0},
    "thick_slices": {"factor": 4},
    "blur": {"sigma_mm": 2.0},
    "bias_field": {"amount": 0.5},
    "intensity": {"gain": 0.5, "offset": 0.5, "gamma": 0.5},
    "noise": {"amount": 0.5},
}
IDENTITY: dict[str, dict[str, Any]] = {
    "rotation": {"degrees": 0.0},
    "scale": {"amount": 0.0},
    "elastic": {"max_mm": 0.0},
    "bias_field": {"amount": 0.0},
    "intensity": {"gain": 0.0, "offset": 0.0, "gamma": 0.0},
    "noise": {"amount": 0.0},
}


def only(*names: str, **options: Any) -> Settings:
    """Settings that always make these changes, strongly, and no others."""
    chosen = {name: {**STRONG[name], "probability": 1.0} for name in names}
    return Settings.model_validate({**NEVER, **chosen, **options})


def scene(shape: tuple[int, ...] = SHAPE, spacing: tuple[float, ...] = SPACING) -> Sample:
    """A bright ball off the centre on a smooth texture, its mask numbered 3."""
    middle = np.array([(n - 1) * s / 2 for n, s in zip(shape, spacing, strict=True)])
    grids = np.meshgrid(*(np.arange(n) * s for n, s in zip(shape, spacing, strict=True)), indexing="ij")
    distance2 = sum((g - c - d) ** 2 for g, c, d in zip(grids, middle, (2.0, 4.0, -3.0)[-len(shape) :], strict=True))
    texture = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=shape), 2.0)
    mask = (distance2 < 6.0**2).astype(np.uint16) * 3
    return Sample((texture + 5.0 * (mask > 0)).astype(np.float32), mask)


def change(settings: Settings, number: int = 0, *, sample: Sample | None = None, **options: Any) -> Sample:
    sample = sample or scene()
    options = {"spacing_mm": SPACING, **options}
    return augmented(sample, settings, sample_rng(DIGEST, number, seed=1, epoch=2), **options)


def centroid(weights: np.ndarray) -> np.ndarray:
    return np.asarray(ndimage.center_of_mass(weights))


# Reproducible


def test_the_same_sample_is_changed_alike_and_every_other_one_otherwise() -> None:
    settings = only(*CHANGES)
    one = change(settings)
    again = change(settings)
    assert (one.image == again.image).all()
    assert (one.mask == again.mask).all()
    seeds = [(DIGEST, 1, 1, 2), ("f" + DIGEST[1:], 0, 1, 2), (DIGEST, 0, 2, 2), (DIGEST, 0, 1, 3)]
    for digest, number, seed, epoch in seeds:
        other = augmented(scene(), settings, sample_rng(digest, number, seed=seed, epoch=epoch), spacing_mm=SPACING)
        assert (other.image != one.image).any()


def test_order_threads_and_workers_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = only(*CHANGES)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    in_order = [change(settings, n).image for n in range(6)]
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    with ThreadPoolExecutor(3) as pool:
        mixed = dict(
            zip(range(5, -1, -1), pool.map(lambda n: change(settings, n).image, range(5, -1, -1)), strict=True)
        )
    assert all((mixed[n] == in_order[n]).all() for n in range(6))


@pytest.mark.parametrize("off", CHANGES)
def test_switching_one_change_off_leaves_the_draws_of_the_others(off: str) -> None:
    everything, view = only(*CHANGES), View.of(scene().image, SPACING)
    without = everything.model_copy(update={off: type(getattr(everything, off))(probability=0.0)})

    def drawn(settings: Settings) -> list[Any]:
        rngs = dict(zip(CHANGES, sample_rng(DIGEST, 0, seed=1, epoch=2).spawn(len(CHANGES)), strict=True))
        movement = drawn_movement(settings, view, rngs)
        return [movement.flipped, movement.matrix, None if movement.warp is None else movement.warp.vectors]

    one, other = drawn(everything), drawn(without)
    kept = {"flip": (1, 2), "rotation": (0, 2), "scale": (0, 2), "elastic": (0, 1)}.get(off, (0, 1, 2))
    assert all(np.array_equal(one[n], other[n]) for n in kept)


def test_noise_is_the_same_whether_or_not_something_else_is_done() -> None:
    flat = Sample(np.zeros(SHAPE, np.float32))
    alone = change(only("noise"), sample=flat, spread=1.0)
    with_others = change(only("noise", "rotation", "elastic", "thick_slices", "blur"), sample=flat, spread=1.0)
    assert (alone.image == with_others.image).all()


# Identity


def test_without_any_change_the_sample_comes_back_as_a_copy() -> None:
    sample = scene()
    out = change(only(), sample=sample)
    assert (out.image == sample.image).all()
    assert (out.mask == sample.mask).all()
    assert not np.shares_memory(out.image, sample.image)


@pytest.mark.parametrize("name", IDENTITY)
def test_a_change_of_no_strength_changes_nothing(name: str) -> None:
    settings = Settings.model_validate({**NEVER, name: {"probability": 1.0, **IDENTITY[name]}})
    sample = scene()
    out = change(settings, sample=sample)
    assert out.image == pytest.approx(sample.image, abs=1e-5)
    assert (out.mask == sample.mask).all()


@pytest.mark.parametrize("name", CHANGES)
def test_each_change_does_something_and_keeps_shape_and_type(name: str) -> None:
    sample = scene()
    outs = [change(only(name), number, sample=sample) for number in range(3)]
    assert any((out.image != sample.image).any() for out in outs)
    for out in outs:
        assert out.image.shape == SHAPE
        assert out.image.dtype == np.float32
        assert out.mask.dtype == np.uint16
        assert np.isfinite(out.image).all()


# The mask


@pytest.mark.parametrize("name", MOVEMENTS)
def test_a_ball_and_its_mask_move_together(name: str) -> None:
    mask = scene((34, 36, 32), (1.0, 1.0, 1.0)).mask
    ball = Sample((100.0 * (mask > 0)).astype(np.float32), mask)
    outs = [change(only(name), number, sample=ball, spacing_mm=(1.0, 1.0, 1.0)) for number in range(4)]
    for out in outs:
        assert ((out.image > 50.001) <= (out.mask > 0)).all()
        assert ((out.mask > 0) <= (out.image > 49.999)).all()
        # A mask has whole voxels: its centre is known to a part of one.
        assert centroid(out.image) == pytest.approx(centroid(out.mask), abs=0.3)
    if name != "scale":  # the middle of the image stays
        assert max(np.abs(centroid(out.mask) - centroid(mask)).max() for out in outs) > 0.5


@pytest.mark.parametrize("name", [name for name in CHANGES if name not in MOVEMENTS])
def test_changes_of_intensity_leave_the_mask_alone(name: str) -> None:
    sample = scene()
    assert (change(only(name), sample=sample).mask == sample.mask).all()


@pytest.mark.parametrize("dtype", [np.bool_, np.uint8, np.int32, np.int64])
def test_masks_of_any_type_keep_their_type_and_labels(dtype: type) -> None:
    sample = scene()
    mask = (sample.mask > 0).astype(dtype)
    out = change(only(*MOVEMENTS), sample=Sample(sample.image, mask))
    assert out.mask.dtype == mask.dtype
    assert set(np.unique(out.mask)) == {0, 1}


def test_a_sample_without_a_mask_is_changed_as_with_one() -> None:
    with_mask = change(only("rotation", "noise"))
    without = change(only("rotation", "noise"), sample=Sample(scene().image))
    assert without.mask is None
    assert (without.image == with_mask.image).all()


def test_a_label_never_leaves_the_sample() -> None:
    """A voxel in the corner would be turned out: only the flips are done, and the label is still there."""
    mask = np.zeros(SHAPE, np.uint16)
    mask[0, 0, 0], mask[8:12, 14:20, 14:18] = 5, 1
    image = scene().image
    out = change(only("rotation"), sample=Sample(image, mask))
    assert (out.image == image).all()
    assert (out.mask == mask).all()
    without_corner = np.where(mask == 5, 0, mask)
    turned = change(only("rotation"), sample=Sample(image, without_corner))
    assert (turned.image != image).any()


def test_where_labels_meet_each_voxel_has_the_one_that_makes_up_most_of_it() -> None:
    mask = np.zeros((1, 40, 40), np.uint16)
    mask[0, 8:20, 10:30], mask[0, 20:32, 10:30] = 2, 7
    settings = only("rotation", rotation={"probability": 1.0, "degrees": 40.0, "axes": ["z"]})

    def turned(numbers: np.ndarray) -> np.ndarray:
        image = np.zeros(mask.shape, np.float32)
        return np.asarray(change(settings, sample=Sample(image, numbers), spacing_mm=(1.0, 1.0, 1.0)).mask)

    out = turned(mask)
    assert (out != mask).mean() > 0.02
    assert set(np.unique(out)) == {0, 2, 7}
    assert ((out > 0) != turned(mask > 0)).mean() < 0.01
    # Neither of them comes first.
    assert (np.where(out > 0, 9 - out, 0) == turned(np.where(mask > 0, 9 - mask, 0))).all()


# Flips


def test_flips_reverse_and_twice_are_nothing() -> None:
    sample = scene()
    settings = Settings.model_validate({**NEVER, "flip": {"probability": 1.0, "axes": ["z", "y"]}})
    once = change(settings, sample=sample)
    assert (once.image == sample.image[::-1, ::-1]).all()
    assert (once.mask == sample.mask[::-1, ::-1]).all()
    twice = change(settings, sample=once)
    assert (twice.image == sample.image).all()


def test_left_and_right_are_exchanged_only_if_allowed() -> None:
    sample = scene()
    always = {"probability": 1.0}
    kept = change(Settings.model_validate({**NEVER, "flip": always}), sample=sample)
    assert (kept.image == sample.image[::-1, ::-1]).all()
    allowed = change(Settings.model_validate({**NEVER, "flip": {**always, "left_right": True}}), sample=sample)
    assert (allowed.image == sample.image[::-1, ::-1, ::-1]).all()
    # Sagittal slices: z runs to the left.
    sagittal = ((1.0, 0.0, 0.0), (0.0, 0.0, 1.0), (0.0, -1.0, 0.0))
    lying = change(Settings.model_validate({**NEVER, "flip": always}), sample=sample, direction=sagittal)
    assert (lying.image == sample.image[:, ::-1, ::-1]).all()


def test_each_axis_is_flipped_half_of_the_time_by_itself() -> None:
    settings = Settings.model_validate({**NEVER, "flip": {"probability": 0.5, "left_right": True}})
    view = View.of(np.zeros(SHAPE), SPACING)
    drawn = []
    for number in range(400):
        rngs = dict(zip(CHANGES, sample_rng(DIGEST, number, seed=0, epoch=0).spawn(len(CHANGES)), strict=True))
        drawn.append(drawn_movement(settings, view, rngs).flipped)
    counts = [sum(axis in one for one in drawn) for axis in range(3)]
    assert all(150 < count < 250 for count in counts)
    assert len(set(drawn)) == 8


# One interpolation


def test_a_quarter_turn_and_a_flip_are_those_of_numpy() -> None:
    from tasks.imaging.augmentation.movement import Movement
    from tasks.imaging.geometry.rotate import turned

    image = np.random.default_rng(0).normal(size=(3, 7, 7)).astype(np.float32)
    view = View.of(image, (2.0, 1.0, 1.0))
    turn = turned(spacing_mm=view.spacing_mm, degrees=90.0)
    out = Movement((0,), turn).apply(image, view, "linear", None)
    assert out == pytest.approx(np.rot90(image, axes=(1, 2))[::-1], abs=1e-5)


def test_turning_bending_and_scaling_at_once_is_one_interpolation() -> None:
    """Of an image that is linear in space, linear interpolation once gives the values at the moved points exactly."""
    z, y, x = np.meshgrid(*(np.arange(n) * s for n, s in zip(SHAPE, SPACING, strict=True)), indexing="ij")
    places = np.stack([z, y, x]).astype(np.float64)
    view = View.of(places[0], SPACING)
    rngs = dict(zip(CHANGES, sample_rng(DIGEST, 0, seed=1, epoch=2).spawn(len(CHANGES)), strict=True))
    movement = drawn_movement(only("rotation", "scale", "elastic"), view, rngs)
    assert movement.warp is not None
    here = places.reshape(3, -1)
    bent = (here + movement.warp.at(here)) / np.asarray(SPACING)[:, None]
    middle = (np.asarray(SHAPE) - 1)[:, None] / 2
    old = movement.matrix @ (bent - middle) + middle
    inside = ((old >= 0) & (old <= 2 * middle)).all(axis=0)
    for axis in range(3):
        out = movement.apply(places[axis], view, "linear", None).ravel()
        assert out[inside] == pytest.approx((old[axis] * SPACING[axis])[inside], abs=1e-6)


def test_scaled_images_are_the_same_whether_or_not_they_are_bent_by_nothing() -> None:
    from tasks.imaging.augmentation.movement import Movement
    from tasks.imaging.geometry.elastic import Warp

    sample = scene()
    view = View.of(sample.image, SPACING)
    warp = Warp.random(SHAPE, spacing_mm=SPACING, control_mm=20.0, max_mm=0.0, seed=0)
    plain, bent = (Movement((1,), 2.0 * np.eye(3), w).apply(sample.image, view, "linear", -7.0) for w in (None, warp))
    assert (plain == -7.0).mean() > 0.5
    assert bent == pytest.approx(plain, abs=1e-4)


# Intensities


def test_thick_slices_are_means_at_their_middle() -> None:
    ramp = np.arange(12.0)[:, None, None] * np.ones((1, 2, 2))
    thick = thick_slices(ramp, 3)
    assert thick[:, 0, 0].tolist() == pytest.approx([1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 10])
    assert thick_slices(ramp, 4, first=2)[4:8, 0, 0].tolist() == pytest.approx([4, 5, 6, 7])
    spike = np.zeros((9, 1, 1))
    spike[4] = 6.0
    assert thick_slices(spike, 3)[:, 0, 0].tolist() == pytest.approx([0, 0, 2 / 3, 4 / 3, 2, 4 / 3, 2 / 3, 0, 0])


@pytest.mark.parametrize("factor", [2, 3, 4, 9])
def test_thick_slices_of_a_constant_are_the_constant_and_shift_nothing(factor: int) -> None:
    assert thick_slices(np.full((5, 2, 2), 3.0), factor, first=factor - 1) == pytest.approx(3.0)
    bump = np.exp(-0.5 * ((np.arange(41) - 20) / 4.0) ** 2)[:, None, None]
    moved = np.mean([centroid(thick_slices(bump, factor, first=n))[0] for n in range(factor)])
    assert moved == pytest.approx(20.0, abs=0.02)


def test_a_bias_field_is_smooth_positive_and_around_one() -> None:
    coefficients = np.random.default_rng(0).uniform(-0.5, 0.5, len(bias_terms(3)))
    field = bias_field(SHAPE, coefficients)
    assert len(bias_terms(3)) == 19
    assert len(bias_terms(2)) == 9
    assert np.log(field).mean() == pytest.approx(0.0, abs=1e-12)
    assert field.min() > 0
    assert max(np.abs(np.diff(np.log(field), axis=a)).max() for a in range(3)) < 0.8
    one = bias_field((3, 5), np.eye(9)[bias_terms(2).index((0, 1))])
    assert np.log(one[0]) == pytest.approx([-1, -0.5, 0, 0.5, 1])


def test_gain_is_about_the_mean_and_offset_is_added() -> None:
    assert with_contrast(np.array([1.0, 3.0]), gain=2.0, offset=10.0).tolist() == [10.0, 14.0]


def test_the_bias_of_hu_leaves_air_and_that_of_activity_leaves_none() -> None:
    for unit, ground in (("HU", -1024.0), ("SUV", 0.0)):
        image = np.full(SHAPE, ground, np.float32)
        image[5:15, 5:30, 5:25] = ground + 1000.0
        out = change(only("bias_field"), sample=Sample(image), unit=unit)
        assert (out.image[image == ground] == ground).all()
        assert out.image[image > ground].std() > 10.0


@pytest.mark.parametrize(
    ("unit", "low", "high"), [("grey", 0, 255), ("share", 0, 1), ("SUV", 0, 9e9), ("HU", -1024, 9e9)]
)
def test_no_value_leaves_what_the_unit_can_have(unit: str, low: float, high: float) -> None:
    top = min(high, 3000.0)
    image = np.random.default_rng(0).uniform(low, top, SHAPE).astype(np.float32)
    out = change(only("intensity", "noise", "bias_field"), sample=Sample(image), unit=unit)
    assert out.image.min() >= low
    assert out.image.max() <= high
    assert (out.image != image).any()


def test_amounts_are_parts_of_the_spread_that_is_given_or_the_images_own() -> None:
    flat = Sample(np.zeros(SHAPE, np.float32))
    assert (change(only("noise"), sample=flat).image == 0).all()
    noise = change(only("noise"), sample=flat, spread=100.0).image
    assert 0 < noise.std() <= 50.0


# Pictures, colour, faults


@pytest.mark.parametrize("colour", [False, True])
def test_pictures_are_changed_in_their_plane(colour: bool) -> None:
    grey = scene((48, 40), (1.0, 1.0))
    image = np.repeat(grey.image[..., None], 3, axis=-1) if colour else grey.image
    image = 255 * (image - image.min()) / (image.max() - image.min())
    out = change(
        only(*CHANGES, outside="edge"),
        sample=Sample(image.astype(np.uint8), grey.mask),
        spacing_mm=(1.0, 1.0),
        unit="grey",
    )
    assert out.image.shape == image.shape
    assert out.image.dtype == np.float32
    assert out.mask.shape == (48, 40)
    moved = change(only(*MOVEMENTS), sample=Sample(image, grey.mask), spacing_mm=(1.0, 1.0), unit="grey")
    if colour:
        assert (moved.image[..., 0] == moved.image[..., 2]).all()


def test_what_is_moved_in_is_background_or_the_border() -> None:
    image = np.full(SHAPE, 40.0, np.float32)
    outs = {
        outside: change(only("rotation", outside=outside), sample=Sample(image), unit="HU").image
        for outside in ("background", "edge", 7.0)
    }
    assert set(np.unique(outs["background"])) == {-1024.0, 40.0}
    assert set(np.unique(outs["edge"])) == {40.0}
    assert set(np.unique(outs[7.0])) == {7.0, 40.0}


def test_one_slice_and_one_voxel_come_through() -> None:
    for shape in ((1, 9, 9), (1, 1, 1)):
        sample = Sample(np.ones(shape, np.float32), np.ones(shape, np.uint8))
        out = change(only(*CHANGES), sample=sample)
        assert out.image.shape == shape
        assert np.isfinite(out.image).all()
        assert out.mask.max() == 1


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match=r"expected a mask of shape \(20, 36, 32\)"):
        change(only(), sample=Sample(scene().image, scene().mask[1:]))
    with pytest.raises(ValidationError, match="so that nothing folds"):
        Settings.model_validate({"elastic": {"control_mm": 10.0, "max_mm": 5.0}})
    with pytest.raises(ValidationError, match="probabilty"):
        Settings.model_validate({"noise": {"probabilty": 0.5}})
