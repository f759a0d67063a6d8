"""Contrast and brightness: windows, percentiles, gamma, shading, light and histograms."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from pydantic import ValidationError

from storage.errors import CaseError
from tasks.imaging.catalog import step_named
from tasks.imaging.contrast.clahe import clahe
from tasks.imaging.contrast.match_histogram import match_histogram
from tasks.imaging.contrast.shading import add_shading, fit_surface, ramp, surface
from tasks.imaging.contrast.window import LEVEL_WIDTH, window
from tasks.imaging.luminance import luminance
from tasks.imaging.step import Step, View, apply_step, look

RNG = np.random.default_rng(0)
FLAT = (1.0, 1.0)


def step(name: str, **settings: Any) -> Step:
    return step_named(name)(**settings)


def picture(shape: tuple[int, ...] = (40, 50)) -> npt.NDArray[Any]:
    return RNG.gamma(2.0, 30.0, shape).astype(np.float32)


def test_dicoms_example_a_window_of_4096_at_2048_maps_0_to_black_and_4095_to_white() -> None:
    values = np.array([[-5.0, 0.0, 2047.5, 4095.0, 5000.0]])
    assert window(values, level=2048, width=4096, top=255.0).tolist() == [[0.0, 0.0, 127.5, 255.0, 255.0]]


def test_dicoms_window_of_one_is_a_threshold() -> None:
    assert window(np.array([[0.0, 1.0, 2.0]]), level=1.5, width=1).tolist() == [[0.0, 0.0, 1.0]]


def test_the_exact_window_goes_through_both_ends() -> None:
    assert window(np.array([[0.0, 2.5, 5.0, 7.0]]), level=2.5, width=5, function="exact").tolist() == [[0, 0.5, 1, 1]]


def test_a_window_equals_pydicoms() -> None:
    import pydicom
    from pydicom.pixels import apply_windowing

    header = pydicom.Dataset()
    header.WindowCenter, header.WindowWidth, header.BitsStored, header.PixelRepresentation = 40, 401, 16, 1
    header.PhotometricInterpretation, header.RescaleSlope, header.RescaleIntercept = "MONOCHROME2", 1, 0
    ct = RNG.integers(-1024, 3071, (20, 20)).astype(np.int16)
    theirs = (apply_windowing(ct, header) + 2**15) / (2**16 - 1)
    assert np.allclose(window(ct, level=40, width=401), theirs, atol=1e-6)


@pytest.mark.parametrize("preset", LEVEL_WIDTH)
def test_a_preset_shows_its_level_as_middle_grey(preset: Any) -> None:
    level, width = LEVEL_WIDTH[preset]
    ct = np.array([[level - width, level, level + width]])
    assert apply_step(step("window", preset=preset), ct, FLAT, unit="HU")[0] == pytest.approx([0, 0.5, 1], abs=0.02)


@pytest.mark.parametrize(
    "settings", [{"level": 40.0}, {"width": 400.0}, {"level": 0.0, "width": 0.5}, {"preset": "lungs"}]
)
def test_half_a_window_is_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        step("window", **settings)


def test_a_stretch_takes_the_percentiles_to_0_and_1() -> None:
    image = np.arange(101.0).reshape(1, -1)
    result = apply_step(step("stretch", low_percent=10, high_percent=60), image, FLAT)
    assert np.allclose(result, np.clip((image - 10) / 50, 0, 1))


def test_a_constant_image_has_nothing_to_stretch() -> None:
    with pytest.raises(CaseError, match="no contrast"):
        apply_step(step("stretch"), np.full((5, 5), 3.0), FLAT)


def test_gamma_keeps_black_and_white_and_bends_the_middle() -> None:
    image = np.array([[10.0, 60.0, 110.0]])
    assert apply_step(step("gamma", exponent=2.0), image, FLAT)[0].tolist() == [10.0, 35.0, 110.0]


def test_a_gamma_is_undone_by_its_inverse() -> None:
    image = picture().astype(np.float64)
    there = apply_step(step("gamma", exponent=2.5), image, FLAT)
    assert np.allclose(apply_step(step("gamma", exponent=0.4), there, FLAT), image)


def test_one_stop_doubles_the_light_and_what_is_beyond_white_is_lost() -> None:
    image = np.array([[0.0, 20.0, 60.0, 100.0]])
    assert apply_step(step("exposure", stops=1.0), image, FLAT)[0].tolist() == [0.0, 40.0, 100.0, 100.0]
    assert apply_step(step("exposure", stops=0.0, offset=0.1), image, FLAT)[0] == pytest.approx([10, 30, 70, 100])


@pytest.mark.parametrize("shape", [(30, 40), (8, 20, 25)])
def test_a_ramp_that_was_added_is_removed_exactly(shape: tuple[int, ...]) -> None:
    spacing = (1.0,) * len(shape)
    image = RNG.normal(100, 5, shape)
    even = apply_step(step("shading", order=1), image, spacing)
    shaded = add_shading(image, ramp(len(shape), height=80.0, degrees=30.0))
    assert np.ptp(shaded - image) == pytest.approx(80 * (np.cos(np.pi / 6) + 0.5), rel=0.06)
    assert np.allclose(apply_step(step("shading", order=1), shaded, spacing), even, atol=1e-9)
    assert even.mean() == pytest.approx(image.mean())


def test_the_surface_is_the_least_squares_polynomial() -> None:
    image = RNG.normal(size=(17, 23))
    v, u = np.meshgrid((2 * np.arange(17) + 1) / 17 - 1, (2 * np.arange(23) + 1) / 23 - 1, indexing="ij")
    basis = np.stack([v**a * u**b for a in range(3) for b in range(3 - a)], axis=-1)
    wanted = basis @ np.linalg.lstsq(basis.reshape(-1, 6), image.ravel(), rcond=None)[0]
    found = fit_surface(lambda: [((0, 0), image[:5]), ((5, 0), image[5:])], image.shape, order=2)
    assert np.allclose(surface(found, image.shape, (0, 0), image.shape), wanted)


def test_background_does_not_bend_a_surface_that_is_fitted_in_the_patient() -> None:
    image = np.zeros((40, 40))
    image[5:35, 5:20] = 500 + RNG.normal(0, 1, (30, 15))
    kept = apply_step(step("shading", inside="patient"), image, FLAT)
    assert np.abs(kept - image)[image > 0].max() < 10
    assert np.abs(apply_step(step("shading"), image, FLAT) - image)[image > 0].max() > 50


def test_added_shading_is_a_share_of_the_range() -> None:
    image = np.tile(np.linspace(0, 100, 50), (50, 1)).astype(np.float32)
    added = apply_step(step("shading", mode="add", strength=0.5, degrees=90.0), image, FLAT) - image
    assert np.ptp(added) == pytest.approx(0.5 * 100 * 49 / 50)
    assert np.ptp(added, axis=1).max() < 1e-4


def test_light_that_falls_off_is_flattened_and_the_black_surround_stays() -> None:
    y, x = np.mgrid[-60:60, -60:60] / 60.0
    field = x**2 + y**2 < 0.9
    light = np.where(field, 200 * np.exp(-0.8 * (x**2 + y**2)), 0)
    flat = apply_step(step("flatten", sigma_mm=8.0), light, FLAT)
    assert flat[field].std() / flat[field].mean() < 0.06
    assert light[field].std() / light[field].mean() > 0.15
    assert not flat[~field].any()


def test_flattening_by_subtraction_takes_off_what_was_added() -> None:
    detail = 5 * np.sin(np.arange(120) / 1.5)[None, :].repeat(100, axis=0)
    added = np.linspace(0, 100, 120)[None, :]
    flat = apply_step(step("flatten", sigma_mm=10.0, by="subtract", field_share=0.0), detail + added + 50, FLAT)
    middle = (slice(None), slice(45, 75))
    assert np.abs(flat - flat.mean() - detail)[middle].max() < 1.0


def test_equalization_equals_scikit_images() -> None:
    from skimage.exposure import equalize_hist

    image = picture()
    assert np.allclose(apply_step(step("equalize"), image, FLAT), equalize_hist(image), atol=1e-5)


@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
def test_clahe_equals_scikit_images(dtype: str) -> None:
    from skimage.exposure import equalize_adapthist

    image = np.clip(picture((64, 80)), 0, 255).astype(dtype)
    image[0, :2] = 0, 255  # the whole range of a byte, as scikit-image scales it
    theirs = equalize_adapthist(image.astype(np.float64) / 255)
    assert np.allclose(apply_step(step("clahe"), image, FLAT), theirs, atol=2e-3)
    assert np.abs(apply_step(step("clahe"), image, FLAT) - theirs).mean() < 1e-4


def test_clahe_of_a_volume_is_that_of_its_slices_and_a_constant_one_is_black() -> None:
    volume = picture((3, 32, 40))
    volume[1] = 9.0
    result = clahe(volume)
    assert np.array_equal(result[0], clahe(volume[0]))
    assert not result[1].any()


def test_histograms_match_after_matching() -> None:
    training = [RNG.normal(50, 10, (40, 40)), RNG.normal(70, 20, (40, 40))]
    matching = step("match_histogram")
    fitted = matching.fit([look(matching, image, View.of(image, FLAT)).measured for image in training])
    result = apply_step(matching, picture((40, 40)), FLAT, fitted=fitted)
    shares = np.linspace(0, 1, 101)
    assert np.allclose(np.quantile(result, shares), fitted["reference"], atol=0.5)
    assert fitted["reference"][50] == pytest.approx(np.mean([np.median(image) for image in training]))


def test_an_image_matched_to_itself_stays() -> None:
    image = picture()
    own = np.quantile(image, np.linspace(0, 1, 101)).tolist()
    assert np.allclose(match_histogram(image, own=own, reference=own), image, rtol=1e-5)


def test_background_of_one_value_is_mapped_to_one_value() -> None:
    image = np.array([[0.0, 0.0, 0.0, 10.0]])
    matched = match_histogram(image, own=[0.0, 0.0, 10.0], reference=[1.0, 3.0, 9.0])
    assert matched.tolist() == [[2.0, 2.0, 2.0, 9.0]]


@pytest.mark.parametrize("name", ["stretch", "gamma", "exposure", "equalize", "clahe", "flatten", "shading"])
def test_contrast_of_colour_is_contrast_of_its_luminance(name: str) -> None:
    rgb = RNG.uniform(60, 120, (40, 40, 1)) * [1.0, 0.8, 0.7]
    rgb[0, 0], rgb[0, 1] = 0, 255
    grey = luminance(rgb, 2)
    assert np.allclose(
        luminance(apply_step(step(name), rgb, FLAT), 2),
        np.clip(apply_step(step(name), grey, FLAT), 0, 255),
        atol=1e-3,
    )
