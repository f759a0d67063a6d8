"""Normalization by hand for each unit, and images that cannot be normalized."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from storage.errors import CaseError
from storage.volume import Volume
from tasks.normalize.chain import normalize
from tasks.normalize.settings import Settings


def image(*values: float, unit: str) -> Volume:
    """A row of voxels of 1 mm."""
    return Volume(np.asarray(values, dtype=np.float64).reshape(1, 1, -1), (1.0, 1.0, 1.0), unit=unit)


def values(volume: Volume) -> list[float]:
    return [float(value) for value in volume.array.ravel()]


def test_ct_keeps_its_hounsfield_units_and_loses_impossible_ones() -> None:
    result = normalize(image(-3000, -1024, -1000, 0, 40, 3071, 9000, unit="HU"), Settings())
    assert values(result) == [-1024, -1024, -1000, 0, 40, 3071, 3071]
    assert (result.unit, result.array.dtype) == ("HU", np.float32)


def test_pet_keeps_its_suv_from_0_to_100() -> None:
    result = normalize(image(-0.25, 0, 2.5, 41, 250, unit="SUV"), Settings())
    assert values(result) == [0, 0, 2.5, 41, 100]
    assert result.unit == "SUV"


def test_the_study_may_give_another_range() -> None:
    assert values(normalize(image(-1000, -150, 50, 400, unit="HU"), Settings(clip=(-160, 240)))) == [
        -160,
        -150,
        50,
        240,
    ]


def test_mr_has_mean_0_and_sd_1_inside_the_patient() -> None:
    background, tissue = [0.0] * 6, [90.0, 110.0, 90.0, 110.0]  # mean 100, standard deviation 10
    result = normalize(image(*background, *tissue, unit="arbitrary"), Settings())
    assert values(result) == pytest.approx([-10.0] * 6 + [-1, 1, -1, 1])
    assert result.unit == "z"


@pytest.mark.parametrize("factor", [0.001, 7.0, 1e6])
def test_mr_does_not_depend_on_the_gain_of_the_scanner(factor: float) -> None:
    array = np.random.default_rng(0).gamma(2.0, 50.0, (6, 20, 20))
    array[:, :8] *= 0.02
    one, other = (
        normalize(Volume(array * gain, (1.0, 1.0, 1.0), unit="arbitrary"), Settings()) for gain in (1.0, factor)
    )
    assert np.allclose(one.array, other.array, atol=1e-4)


def test_the_study_s_grid_is_used_and_none_keeps_the_image_s_own() -> None:
    volume = Volume(np.arange(4 * 6 * 8.0).reshape(4, 6, 8), (4.0, 2.0, 1.0), (5.0, 6.0, 7.0), unit="HU")
    assert normalize(volume, Settings()).spacing_mm == (4.0, 2.0, 1.0)
    result = normalize(volume, Settings(spacing_mm=(2.0, 2.0, 2.0)))
    assert (result.spacing_mm, result.shape) == ((2.0, 2.0, 2.0), (8, 6, 4))
    middles = [v.to_world_mm((np.array(v.shape) - 1) / 2) for v in (volume, result)]
    assert np.allclose(*middles)


def test_a_spline_does_not_overshoot_the_range() -> None:
    edge = np.full((4, 4, 16), -1024.0)
    edge[..., 8:] = 3071.0
    result = normalize(
        Volume(edge, (1.0, 1.0, 1.0), unit="HU"), Settings(spacing_mm=(1, 1, 0.4), interpolation="cubic")
    )
    assert (result.array.min(), result.array.max()) == (-1024.0, 3071.0)


def test_the_same_image_gives_the_same_bytes() -> None:
    volume = Volume(np.random.default_rng(0).normal(size=(8, 9, 10)), (3.0, 2.0, 2.0), unit="arbitrary")
    one, other = (normalize(volume, Settings(spacing_mm=(2.5, 2.5, 2.5))).array.tobytes() for _ in range(2))
    assert one == other


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("unit", ["HU", "SUV", "arbitrary"])
def test_values_that_are_no_numbers_are_a_fault_of_the_case(value: float, unit: str) -> None:
    with pytest.raises(CaseError, match="not finite numbers"):
        normalize(image(1, 2, value, unit=unit), Settings())


@pytest.mark.parametrize("unit", ["HU", "SUV", "arbitrary"])
def test_a_flat_image_is_a_fault_of_the_case(unit: str) -> None:
    with pytest.raises(CaseError, match=f"the image is empty: all voxels are 5 {unit}"):
        normalize(image(5, 5, 5, unit=unit), Settings())


def test_a_patient_of_one_grey_is_a_fault_of_the_case() -> None:
    with pytest.raises(CaseError, match="no contrast"):
        normalize(image(0, 0, 0, 100, 100, unit="arbitrary"), Settings())


@pytest.mark.parametrize("clip", [(240, -160), (0, 0)])
def test_a_range_whose_ends_are_exchanged_is_refused(clip: tuple[float, float]) -> None:
    with pytest.raises(ValidationError, match="expected the lower end first"):
        Settings(clip=clip)


@pytest.mark.parametrize("spacing", [(0, 1, 1), (1, -1, 1), (1, 1)])
def test_a_grid_that_cannot_be_one_is_refused(spacing: tuple[float, ...]) -> None:
    with pytest.raises(ValidationError, match="spacing_mm"):
        Settings(spacing_mm=spacing)
