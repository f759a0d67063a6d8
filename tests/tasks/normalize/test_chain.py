"""The chain by hand: the usual steps for each unit, listed steps in their order, and images that cannot be used."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from storage.errors import CaseError
from storage.volume import Volume
from tasks.imaging.catalog import step_named
from tasks.imaging.step import Step
from tasks.normalize.chain import each_step, normalize
from tasks.normalize.settings import Settings
from tasks.normalize.usual import steps_of


def image(*values: float, unit: str) -> Volume:
    """A row of voxels of 1 mm."""
    return Volume(np.asarray(values, dtype=np.float64).reshape(1, 1, -1), (1.0, 1.0, 1.0), unit=unit)


def values(volume: Volume) -> list[float]:
    return [float(value) for value in volume.array.ravel()]


def usual(volume: Volume, **settings: Any) -> Volume:
    return normalize(volume, steps_of(Settings(**settings), volume.unit))


def step(name: str, **settings: Any) -> Step:
    return step_named(name)(**settings)


def head(shading: float = 0.0) -> Volume:
    """A ball of two tissues with noise in air, as MR has it, darker to one side by the shading."""
    z, y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in (16, 40, 40)), indexing="ij")
    radius = np.sqrt(z**2 + y**2 + x**2)
    tissue = np.where(radius < 0.5, 300.0, np.where(radius < 0.8, 200.0, 0.0)) * np.exp(shading * x)
    noise = np.random.default_rng(0).normal(0, 4, tissue.shape)
    return Volume(np.abs(tissue + noise), (3.0, 2.0, 2.0))


def test_ct_keeps_its_hounsfield_units_and_loses_impossible_ones() -> None:
    result = usual(image(-3000, -1024, -1000, 0, 40, 3071, 9000, unit="HU"))
    assert values(result) == [-1024, -1024, -1000, 0, 40, 3071, 3071]
    assert (result.unit, result.array.dtype) == ("HU", np.float32)


def test_pet_keeps_its_suv_from_0_to_100() -> None:
    result = usual(image(-0.25, 0, 2.5, 41, 250, unit="SUV"))
    assert values(result) == [0, 0, 2.5, 41, 100]
    assert result.unit == "SUV"


def test_mr_loses_its_shading_and_has_mean_0_and_sd_1_inside_the_patient() -> None:
    shaded = head(shading=0.4)
    result = usual(shaded)
    assert result.unit == "z"
    inside = shaded.array > 90
    assert result.array[inside].mean() == pytest.approx(0, abs=0.1)
    assert result.array[inside].std() == pytest.approx(1, abs=0.1)
    core = head().array > 260
    column = np.indices(core.shape)[2]
    left, right = (result.array[core & side].mean() for side in (column < 18, column > 21))
    assert abs(left - right) < 0.25


@pytest.mark.parametrize("factor", [0.01, 7.0, 1e4])
def test_mr_does_not_depend_on_the_gain_of_the_scanner(factor: float) -> None:
    one, other = (usual(head().with_array(head().array * gain)) for gain in (1.0, factor))
    assert np.abs(one.array - other.array).max() < 0.02


def test_the_study_s_grid_is_used_and_none_keeps_the_image_s_own() -> None:
    volume = Volume(np.arange(4 * 6 * 8.0).reshape(4, 6, 8), (4.0, 2.0, 1.0), (5.0, 6.0, 7.0), unit="HU")
    assert usual(volume).spacing_mm == (4.0, 2.0, 1.0)
    result = usual(volume, spacing_mm=(2.0, 2.0, 2.0))
    assert (result.spacing_mm, result.shape) == ((2.0, 2.0, 2.0), (8, 6, 4))
    middles = [v.to_world_mm((np.array(v.shape) - 1) / 2) for v in (volume, result)]
    assert np.allclose(*middles)


def test_steps_are_done_in_their_order() -> None:
    volume = image(-2000, 0, 100, unit="HU")
    clipped_first = Settings(steps=(step("clip", range=(0, 50)), step("rescale", range=(0, 100))))
    rescaled_first = Settings(steps=(step("rescale", range=(0, 100)), step("clip", range=(0, 0.25))))
    assert values(normalize(volume, steps_of(clipped_first, "HU"))) == pytest.approx([0, 0, 0.5])
    assert values(normalize(volume, steps_of(rescaled_first, "HU"))) == pytest.approx([0, 0, 0.25])


def test_each_step_is_seen_with_what_came_before_and_after_it() -> None:
    volume = image(-2000, 0, 100, unit="HU")
    first, second = each_step(volume, (step("clip"), step("flip")))
    assert (first.number, first.step.name, second.number) == (1, "clip", 2)
    assert first.before is volume
    assert second.before is first.after
    assert values(second.after) == [100, 0, -1024]


def test_a_bright_voxel_stays_where_it_is_in_the_patient() -> None:
    array = np.zeros((9, 21, 30), np.float32)
    array[4, 10, 20] = 1000.0
    volume = Volume(array, (3.0, 1.0, 1.0), (-80.0, 12.0, 500.0), unit="HU")
    finer = step("resample", spacing_mm=(1.5, 0.5, 0.5))
    result = normalize(volume, (step("flip", axes=("y", "x")), finer, step("gaussian", sigma_mm=1.0)))
    brightest = np.unravel_index(result.array.argmax(), result.shape)
    assert np.linalg.norm(result.to_world_mm(brightest) - volume.to_world_mm((4, 10, 20))) < 1.0


def test_the_same_image_gives_the_same_bytes() -> None:
    one, other = (usual(head(), spacing_mm=(2.5, 2.5, 2.5)).array.tobytes() for _ in range(2))
    assert one == other


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("unit", ["HU", "SUV", "arbitrary"])
def test_values_that_are_no_numbers_are_a_fault_of_the_case(value: float, unit: str) -> None:
    with pytest.raises(CaseError, match="not finite numbers; the step 'finite' mends them"):
        usual(image(1, 2, value, unit=unit))


def test_the_step_that_mends_them_may_come_first_alone() -> None:
    volume = image(1, np.nan, 3, unit="HU")
    assert np.isfinite(normalize(volume, (step("finite"), step("clip"))).array).all()
    with pytest.raises(CaseError, match="not finite numbers"):
        normalize(volume, (step("clip"), step("finite")))


@pytest.mark.parametrize("unit", ["HU", "SUV", "arbitrary"])
def test_a_flat_image_is_a_fault_of_the_case(unit: str) -> None:
    with pytest.raises(CaseError, match=f"the image is empty: all voxels are 5 {unit}"):
        usual(image(5, 5, 5, unit=unit))


def test_a_step_that_cannot_be_done_is_named() -> None:
    with pytest.raises(CaseError, match=r"^step 2 \(zscore\): "):
        normalize(image(0, 0, 0, 100, 100, unit="arbitrary"), (step("flip"), step("zscore")))
