"""Intensities cut, scaled to a range, and standardized by mean and deviation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from storage.errors import CaseError
from tasks.imaging.catalog import step_named
from tasks.imaging.standardize.clip import clip
from tasks.imaging.step import Step, apply_step

RNG = np.random.default_rng(0)
FLAT = (1.0, 1.0)


def step(name: str, **settings: Any) -> Step:
    return step_named(name)(**settings)


@pytest.mark.parametrize(("unit", "low", "high"), [("HU", -1024, 3071), ("SUV", 0, 100), ("arbitrary", -5000, 5000)])
def test_the_range_is_that_of_the_unit(unit: str, low: int, high: int) -> None:
    image = np.array([[-5000, 0, 5000]], np.int16)
    cut = apply_step(step("clip"), image, FLAT, unit=unit)
    assert cut.tolist() == [[low, 0, high]]
    assert cut.dtype == np.int16


@pytest.mark.parametrize(
    ("dtype", "ends", "after"),
    [
        ("uint8", (-1024.0, 3071.0), "uint8"),
        ("uint8", (300.0, 400.0), "float32"),
        ("int16", (0.0, 0.5), "float32"),
        ("float64", (0.0, 1.0), "float64"),
    ],
)
def test_an_integer_type_stays_where_it_can_hold_the_result(dtype: str, ends: tuple[float, float], after: str) -> None:
    image = np.array([[0, 7, 200 if dtype == "uint8" else 1]]).astype(dtype)
    cut = clip(image, low=ends[0], high=ends[1])
    assert cut.dtype == after == step("clip", range=ends).dtype_after(np.dtype(dtype))
    assert np.array_equal(cut, np.clip(image.astype(float), *ends))


@pytest.mark.parametrize("name", ["clip", "rescale"])
def test_a_range_begins_with_its_lower_end(name: str) -> None:
    with pytest.raises(ValidationError, match="expected the lower end first"):
        step(name, range=(5.0, 5.0))


def test_hounsfield_units_of_the_lung_become_0_to_1() -> None:
    ct = np.array([[-2000, -1000, -300, 400, 3000]], np.int16)
    assert apply_step(step("rescale"), ct, FLAT, unit="HU").tolist() == [[0.0, 0.0, 0.5, 1.0, 1.0]]


def test_a_range_becomes_another_and_goes_on_where_it_is_not_cut() -> None:
    image = np.array([[0.0, 50.0, 150.0]])
    scaled = apply_step(step("rescale", range=(0.0, 100.0), to=(-1.0, 1.0), cut=False), image, FLAT)
    assert scaled.tolist() == [[-1.0, 0.0, 2.0]]


def test_without_a_unit_the_range_is_the_images_own() -> None:
    assert apply_step(step("rescale"), np.array([[5, 10, 15]]), FLAT).tolist() == [[0.0, 0.5, 1.0]]
    with pytest.raises(CaseError, match="no range"):
        apply_step(step("rescale"), np.full((3, 3), 5.0), FLAT)


@pytest.mark.parametrize(("inside", "region"), [("all", -np.inf), ("nonzero", 0.0)])
def test_inside_its_region_the_mean_is_0_and_the_deviation_1(inside: str, region: float) -> None:
    image = np.maximum(RNG.normal(20, 30, (20, 30)), 0)
    z = apply_step(step("zscore", inside=inside), image, FLAT)
    chosen = z[image > region]
    assert chosen.mean() == pytest.approx(0, abs=1e-12)
    assert chosen.std() == pytest.approx(1)


def test_the_patient_is_what_is_above_otsus_threshold() -> None:
    from skimage.filters import threshold_otsu

    image = np.concatenate([RNG.normal(10, 3, (4, 20, 20)), RNG.normal(200, 20, (4, 20, 20))]).astype(np.float32)
    inside = image[image > threshold_otsu(image)]
    z = apply_step(step("zscore"), image, (1.0, 1.0, 1.0))
    assert np.allclose(z, (image - inside.mean()) / inside.std(), atol=1e-5)
    assert step("zscore").unit_after("arbitrary") == "z"


def test_each_colour_is_standardized_by_itself() -> None:
    rgb = RNG.normal([50, 100, 150], [5, 10, 20], (30, 30, 3))
    z = apply_step(step("zscore", inside="all"), rgb, FLAT)
    assert np.allclose(z.mean(axis=(0, 1)), 0)
    assert np.allclose(z.std(axis=(0, 1)), 1)


@pytest.mark.parametrize("value", [0.0, 7.3])
def test_an_image_without_contrast_is_refused(value: float) -> None:
    for inside in ("patient", "nonzero", "all"):
        with pytest.raises(CaseError, match="no contrast between patient and background"):
            apply_step(step("zscore", inside=inside), np.full((9, 9), value, np.float32), FLAT)
