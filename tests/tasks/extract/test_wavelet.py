"""Wavelets of ramps and steps by hand, and PyWavelets' own coefficients."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import pywt
from pydantic import ValidationError

from tasks.extract.families.wavelet import Settings, compute, features, margin_mm
from tasks.extract.region import Region

RNG = np.random.default_rng(0)
BY_VOXEL = Settings(wavelet="haar", smoothing_samples=0.0)
OF_CUBE = Settings(transform="decimated", wavelet="haar", context=1.0, samples=8, smoothing_samples=0.0)


def whole(image: Any, spacing: tuple[float, float, float] = (1.0, 1.0, 1.0)) -> Region:
    array = np.asarray(image, dtype=np.float64)
    return Region(array, np.ones(array.shape, bool), spacing, "HU")


def inside(image: Any, margin: int) -> Region:
    """The middle of an image, which goes on around it."""
    array = np.asarray(image, dtype=np.float64)
    mask = np.zeros(array.shape, bool)
    mask[(slice(margin, -margin),) * 3] = True
    return Region(array, mask, (1.0, 1.0, 1.0), "HU")


def of(values: dict[str, float], statistic: str) -> dict[str, float]:
    return {name.removesuffix(f"_{statistic}"): v for name, v in values.items() if name.endswith(f"_{statistic}")}


def test_a_ramp_has_the_half_differences_of_haar_at_every_voxel() -> None:
    x = np.indices((24, 24, 24))[2]
    values = compute(inside(2.0 * x, 10), BY_VOXEL)
    # Level 1: (v - (v + 2)) / 2 = -1. Level 2: means of pairs, 4 apart: -2. Nothing along z and y.
    energies = of(values, "energy")
    assert energies["level_1_x"] == pytest.approx(1.0)
    assert energies["level_2_x"] == pytest.approx(4.0)
    assert [v for name, v in energies.items() if name.startswith("level") and not name.endswith("_x")] == [0.0] * 12
    assert values["level_2_x_mean_absolute"] == pytest.approx(2.0)
    assert values["level_2_x_deviation"] == pytest.approx(0.0, abs=1e-9)
    assert values["level_2_x_entropy"] == pytest.approx(1.0)
    assert values["combined_energy"] == pytest.approx(5.0)


def test_a_coefficient_belongs_to_the_voxel_in_the_middle_of_its_filter() -> None:
    """A plane of light at one voxel is seen by the voxels that a filter of 2, 4 and 8 reaches to both sides."""
    image = np.zeros((48, 48, 48))
    image[:, :, 24] = 8.0
    for level, reached in ((1, {23, 24}), (2, {22, 23, 24, 25}), (3, set(range(20, 28)))):
        seen = set()
        for at in range(18, 31):
            mask = np.zeros(image.shape, bool)
            mask[24, 24, at] = True
            region = Region(image, mask, (1.0, 1.0, 1.0), "HU")
            if compute(region, BY_VOXEL.model_copy(update={"levels": 3}))[f"level_{level}_x_energy"]:
                seen.add(at)
        assert max(abs(at - 24) for at in seen) <= 2 ** (level - 1)
        assert seen in (reached, {48 - at for at in reached})


@pytest.mark.parametrize("wavelet", ["db2", "coif1", "bior2.2"])
def test_stationary_coefficients_are_pywavelets_of_the_whole_image(wavelet: str) -> None:
    image = RNG.normal(size=(64, 64, 64))
    settings = BY_VOXEL.model_copy(update={"wavelet": wavelet, "surroundings_mm": 30.0})
    values = compute(inside(image, 28), settings)
    theirs = pywt.swtn(image, wavelet, 2)
    for level, bands in ((2, theirs[0]), (1, theirs[1])):
        first = 28 - (2**level - 1) // 2
        part = (slice(first, first + 8),) * 3
        for key, name in (("aad", "x"), ("dda", "yz"), ("ddd", "xyz")):
            coefficients = bands[key][part] / 2 ** (1.5 * level)
            assert values[f"level_{level}_{name}_energy"] == pytest.approx(np.mean(coefficients**2))
            assert values[f"level_{level}_{name}_mean_absolute"] == pytest.approx(np.abs(coefficients).mean())
            assert values[f"level_{level}_{name}_deviation"] == pytest.approx(coefficients.std())


@pytest.mark.parametrize("slice_wise", [False, True])
def test_decimated_coefficients_are_pywavelets_of_the_cube(slice_wise: bool) -> None:
    image = RNG.normal(size=(16, 16, 16))
    settings = OF_CUBE.model_copy(update={"wavelet": "db2", "samples": 16, "slice_wise": slice_wise})
    values = compute(whole(image), settings)
    axes = (1, 2) if slice_wise else (0, 1, 2)
    approximation, coarse, fine = pywt.wavedecn(image, "db2", level=2, axes=axes)
    for name, level, band in (
        ("approximation", 2, approximation),
        ("level_2_x", 2, coarse["a" * (len(axes) - 1) + "d"]),
        ("level_1_xy", 1, fine["dd" if slice_wise else "add"]),
    ):
        coefficients = band / 2 ** (len(axes) * level / 2)
        shares = coefficients.ravel() ** 2 / (coefficients**2).sum()
        assert values[f"{name}_energy"] == pytest.approx(np.mean(coefficients**2))
        assert values[f"{name}_entropy"] == pytest.approx(-(shares * np.log(shares)).sum() / np.log(shares.size))


def test_the_energies_of_haar_bands_of_a_cube_sum_up_to_its_mean_square() -> None:
    image = RNG.normal(size=(8, 8, 8))
    values = compute(whole(image), OF_CUBE.model_copy(update={"weights": {"approximation": 1.0}}))
    assert values["combined_energy"] == pytest.approx(np.mean(image**2))


def test_bands_of_a_step_are_those_of_the_family_haar_wavelet() -> None:
    from tasks.extract.families import haar_wavelet

    region = inside(RNG.normal(size=(20, 20, 20)), 5)
    theirs = haar_wavelet.compute(region, haar_wavelet.Settings(scale="linear", levels=2))
    ours = of(compute(region, Settings(transform="decimated", wavelet="haar", levels=2)), "energy")
    assert all(theirs[name] == pytest.approx(value) for name, value in ours.items() if name != "combined")


def test_slice_wise_slices_do_not_see_each_other() -> None:
    image = RNG.normal(size=(6, 12, 12))
    mask = np.zeros(image.shape, bool)
    mask[3, 4:8, 4:8] = True
    settings = Settings(slice_wise=True)
    one = compute(Region(image, mask, (1.0, 1.0, 1.0), "HU"), settings)
    assert "level_1_z_energy" not in one
    assert compute(Region(image[3:4], mask[3:4], (1.0, 1.0, 1.0), "HU"), settings) == one


def test_voxels_that_do_not_count_are_left_out_of_the_statistics() -> None:
    image = np.zeros((20, 20, 20))
    image[:, :, 15] = 100.0
    region = inside(image, 2)
    counted = region.mask.copy()
    counted[:, :, 10:] = False
    values = compute(Region(image, region.mask, (1.0, 1.0, 1.0), "HU", counted), BY_VOXEL)
    assert values["level_1_x_energy"] == 0.0
    assert compute(region, BY_VOXEL)["level_1_x_energy"] > 0.0


def test_what_other_families_see_of_the_surroundings_changes_nothing() -> None:
    image = RNG.normal(size=(30, 30, 30))
    settings = Settings(surroundings_mm=3.0)
    one, other = inside(image[2:-2, 2:-2, 2:-2], 10), inside(image, 12)
    assert compute(one, settings) == compute(other, settings)


def test_beyond_the_surroundings_the_image_is_mirrored_and_not_wrapped() -> None:
    image = np.zeros((8, 8, 8))
    image[:, :, 4:] = 1.0
    values = compute(whole(image), BY_VOXEL)
    # One step in eight voxels, of half a difference: wrapping around would make it two.
    assert values["level_1_x_energy"] == pytest.approx(0.25 / 8)


@pytest.mark.parametrize("settings", [BY_VOXEL, OF_CUBE])
def test_smoothing_takes_energy_from_the_finest_level(settings: Settings) -> None:
    region = inside(RNG.normal(size=(24, 24, 24)), 8)
    rough = compute(region, settings)["level_1_xyz_energy"]
    smooth = compute(region, settings.model_copy(update={"smoothing_samples": 1.0}))["level_1_xyz_energy"]
    assert 0.0 < smooth < 0.01 * rough


def test_weights_weigh_bands_and_by_default_all_details_count_once() -> None:
    region = inside(RNG.normal(size=(16, 16, 16)), 4)
    energies = of(compute(region, Settings()), "energy")
    details = sum(v for name, v in energies.items() if name.startswith("level"))
    assert energies["combined"] == pytest.approx(details)
    weighted = compute(region, Settings(weights={"level_1_x": 3.0, "approximation": 0.5}))["combined_energy"]
    assert weighted == pytest.approx(details + 2 * energies["level_1_x"] + 0.5 * energies["approximation"])


@pytest.mark.parametrize("settings", [Settings(), OF_CUBE, Settings(slice_wise=True)])
@pytest.mark.parametrize("level", [0.0, 0.1, -1000.3])
def test_a_constant_region_has_neither_energy_nor_entropy_in_its_details(settings: Settings, level: float) -> None:
    values = compute(whole(np.full((5, 6, 7), level)), settings)
    assert values["level_1_x_energy"] == 0.0
    assert math.isnan(values["level_1_x_entropy"])
    assert values["approximation_energy"] == pytest.approx(level**2)


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 9, 9), (9, 1, 1)])
@pytest.mark.parametrize("settings", [Settings(), OF_CUBE, Settings(wavelet="db4", levels=3)])
def test_one_voxel_and_one_slice_have_finite_energies(shape: tuple[int, ...], settings: Settings) -> None:
    values = compute(whole(RNG.normal(size=shape)), settings)
    assert all(math.isfinite(v) for v in of(values, "energy").values())
    assert all(math.isnan(v) or 0.0 <= v <= 1.0 + 1e-12 for v in of(values, "entropy").values())


def test_features_are_declared_in_the_order_in_which_they_are_computed() -> None:
    region = whole(RNG.normal(size=(8, 8, 8)))
    for settings in (
        Settings(),
        OF_CUBE,
        Settings(slice_wise=True, levels=1, statistics=("entropy",)),
        Settings(transform="decimated", slice_wise=True, samples=20),
    ):
        assert list(features(settings)) == list(compute(region, settings))
    assert len(features(Settings())) == 61


def test_the_margin_is_the_surroundings_or_the_cubes() -> None:
    assert margin_mm((8.0, 8.0, 8.0), Settings()) == (10.0, 10.0, 10.0)
    assert margin_mm((8.0, 8.0, 8.0), Settings(slice_wise=True)) == (0.0, 10.0, 10.0)
    assert margin_mm((8.0, 8.0, 4.0), OF_CUBE) == pytest.approx((1.0, 1.0, 3.0))


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"wavelet": "haar2"}, "no discrete wavelet 'haar2'; choose from: bior1.1"),
        ({"wavelet": "mexh"}, "no discrete wavelet"),
        ({"transform": "decimated", "wavelet": "db4"}, "at most 1 levels of 'db4' in 16 samples; got 2"),
        ({"weights": {"level_3_x": 1.0}}, "no band level_3_x"),
        ({"slice_wise": True, "weights": {"level_1_z": 1.0}}, "no band level_1_z"),
    ],
)
def test_settings_that_cannot_be_are_refused(wrong: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        Settings.model_validate(wrong)
