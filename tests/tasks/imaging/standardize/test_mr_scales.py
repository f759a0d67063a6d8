"""WhiteStripe, Nyúl's landmarks and N4: MR made comparable."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from storage.errors import CaseError
from tasks.imaging.catalog import step_named
from tasks.imaging.standardize.n4 import bias_field
from tasks.imaging.standardize.nyul import PERCENTILES, map_landmarks, standard_scale
from tasks.imaging.standardize.white_stripe import white_matter_peak
from tasks.imaging.step import Step, View, apply_step, look

RNG = np.random.default_rng(0)
SPACING = (3.0, 1.0, 1.0)
DATA = Path(os.environ.get("LESIONFLOW_TEST_DATA", Path(__file__).parents[5] / "shared" / "data"))


def step(name: str, **settings: Any) -> Step:
    return step_named(name)(**settings)


def brain(white: float = 700.0, grey: float = 500.0, fluid: float = 200.0) -> npt.NDArray[np.float32]:
    """Air, fluid, grey and white matter with noise, in a fixed order of voxels."""
    rng = np.random.default_rng(1)
    parts = [rng.normal(mean, 12, n) for mean, n in ((fluid, 3000), (grey, 9000), (white, 8000))]
    air = np.abs(rng.normal(0, 5, 20_000))
    return np.concatenate([air, *parts]).reshape(10, 50, 80).astype(np.float32)


@pytest.mark.parametrize(("contrast", "white", "grey"), [("T1", 700.0, 500.0), ("FLAIR", 450.0, 600.0)])
def test_white_matter_becomes_0(contrast: str, white: float, grey: float) -> None:
    image = brain(white, grey)
    if contrast == "FLAIR":  # the highest peak: more white matter than grey
        image[image > 550] -= np.where(RNG.uniform(size=(image > 550).sum()) < 0.4, 150, 0)
    z = apply_step(step("white_stripe", contrast=contrast, inside="nonzero"), np.where(image < 40, 0, image), SPACING)
    tissue = z[np.abs(image - white) < 25]
    assert np.median(tissue) == pytest.approx(0, abs=1.5)
    assert step("white_stripe").unit_after("arbitrary") == "z"


@pytest.mark.parametrize("gain", [0.01, 1.0, 300.0])
def test_the_scale_of_the_scanner_does_not_matter_to_white_stripe(gain: float) -> None:
    z = apply_step(step("white_stripe"), brain(), SPACING)
    assert np.allclose(apply_step(step("white_stripe"), brain() * gain, SPACING), z, atol=2e-3 * np.abs(z).max())


def test_the_stripe_has_deviation_1() -> None:
    image = brain()
    stripe = step("white_stripe")
    measured = look(stripe, image, View.of(image, SPACING)).measured
    foreground = image[image > image.mean()]
    chosen = foreground[(foreground >= measured["low"]) & (foreground <= measured["high"])]
    assert chosen.size / foreground.size == pytest.approx(0.1, abs=0.005)
    assert apply_step(stripe, image, SPACING)[np.isin(image, chosen)].std() == pytest.approx(1, rel=1e-3)


def test_t1_takes_the_brightest_peak_and_flair_the_highest() -> None:
    centres = np.linspace(0, 1000, 2000)
    counts = (900 * np.exp(-(((centres - 300) / 30) ** 2)) + 500 * np.exp(-(((centres - 700) / 30) ** 2))).astype(int)
    counts[1900] = 40  # a few bright voxels in the tail are no tissue
    assert white_matter_peak(counts, centres, contrast="T1", smoothing=10.0) == pytest.approx(700, abs=2)
    assert white_matter_peak(counts, centres, contrast="FLAIR", smoothing=10.0) == pytest.approx(300, abs=2)


def test_landmarks_come_to_lie_on_the_standard_ones_and_the_outer_lines_go_on() -> None:
    image = np.array([[0.0, 10.0, 15.0, 20.0, 40.0, 50.0]])
    mapped = map_landmarks(image, landmarks=[10.0, 20.0, 40.0], standard=[0.0, 50.0, 60.0])
    assert mapped.tolist() == [[-50.0, 0.0, 25.0, 50.0, 60.0, 65.0]]


def test_the_standard_scale_is_the_mean_of_the_aligned_landmarks() -> None:
    assert standard_scale([[0.0, 1.0, 4.0], [10.0, 25.0, 30.0]]) == [0.0, 50.0, 100.0]


def test_two_scanners_agree_after_nyul() -> None:
    nyul, first = step("nyul"), brain()
    second = 40 + 3 * first
    fitted = nyul.fit([look(nyul, image, View.of(image, SPACING)).measured for image in (first, second)])
    one, other = (apply_step(nyul, image, SPACING, fitted=fitted) for image in (first, second))
    assert np.allclose(one, other, atol=1e-3)
    landmarks = np.percentile(one[first > first.mean()], PERCENTILES)
    assert np.allclose(landmarks, fitted["standard"], atol=0.05)


def test_nyul_keeps_the_order_of_intensities() -> None:
    nyul = step("nyul")
    fitted = nyul.fit([look(nyul, image, View.of(image, SPACING)).measured for image in (brain(), brain(900.0))])
    image = np.sort(brain(white=620.0).ravel()).reshape(brain().shape)
    assert (np.diff(apply_step(nyul, image, SPACING, fitted=fitted).ravel()) >= 0).all()


def test_landmarks_that_coincide_count_as_one() -> None:
    image = np.array([[0.0, 5.0, 10.0]])
    assert map_landmarks(image, landmarks=[0, 0, 10], standard=[0, 20, 100]).tolist() == [[10.0, 55.0, 100.0]]
    with pytest.raises(CaseError, match="landmarks coincide"):
        map_landmarks(image, landmarks=[3, 3, 3], standard=[0, 50, 100])


@pytest.mark.parametrize("name", ["white_stripe", "nyul"])
def test_an_image_without_contrast_has_no_scale(name: str) -> None:
    image = np.full((3, 8, 8), 5.0)
    with pytest.raises(CaseError):
        look(step(name), image, View.of(image, SPACING))


def shaded(shape: tuple[int, ...]) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Tissue of two values in air, and a field that changes slowly along the last axis."""
    grid = np.meshgrid(*(np.linspace(1 / n - 1, 1 - 1 / n, n) for n in shape), indexing="ij")
    body = sum(g**2 for g in grid) < 0.9
    tissue = np.where(grid[-2] > 0.1, 100.0, 180.0) + RNG.normal(0, 1, shape)
    field = np.exp(0.3 * grid[-1])
    return (np.where(body, tissue * field, 1.0)).astype(np.float32), field


def test_the_field_equals_what_simpleitk_finds_when_it_is_called_directly() -> None:
    import SimpleITK as sitk

    array, _ = shaded((16, 40, 44))
    image = sitk.GetImageFromArray(array)
    image.SetSpacing((1.0, 1.0, 3.0))
    mask = sitk.OtsuThreshold(image, 0, 1)
    corrector = sitk.N4BiasFieldCorrectionImageFilter()
    corrector.SetMaximumNumberOfIterations([20, 20])
    corrector.Execute(sitk.Shrink(image, [2, 2, 2]), sitk.Shrink(mask, [2, 2, 2]))
    wanted = np.exp(sitk.GetArrayFromImage(corrector.GetLogBiasFieldAsImage(image)))
    field = bias_field(array, spacing_mm=SPACING, shrink=2, iterations=(20, 20))
    assert np.allclose(field, wanted, rtol=1e-5)
    ours = apply_step(step("n4", shrink=2, iterations=(20, 20)), array, SPACING)
    assert np.allclose(ours, array / wanted, rtol=1e-4)


@pytest.mark.parametrize("shape", [(64, 60), (1, 64, 60), (3, 64, 60), (12, 40, 40)])
def test_a_slow_field_is_found(shape: tuple[int, ...]) -> None:
    array, field = shaded(shape)
    found = bias_field(array, spacing_mm=(1.0,) * len(shape), shrink=2)
    inside = array > 50
    assert found.shape == shape
    ratio = (found / field)[inside]
    assert ratio.std() / ratio.mean() < 0.4 * field[inside].std() / field[inside].mean()


def test_values_below_0_take_no_part_in_the_field() -> None:
    array, _ = shaded((10, 32, 32))
    below = np.where(array == 1.0, -3.0, array)
    found, wanted = (bias_field(a, spacing_mm=SPACING, iterations=(10,)) for a in (below, np.maximum(below, 0)))
    assert np.array_equal(found, wanted)
    assert np.isfinite(apply_step(step("n4", iterations=(10,)), below, SPACING)).all()


def test_the_number_of_threads_does_not_change_the_field() -> None:
    array, _ = shaded((10, 32, 32))
    one, two = (bias_field(array, spacing_mm=SPACING, iterations=(10,), threads=n) for n in (1, 2))
    assert np.allclose(one, two, rtol=1e-5)


@pytest.mark.parametrize(
    ("image", "why"),
    [
        (np.ones((3, 3)), "too small"),
        (np.ones((1, 1, 50)), "too small"),
        (np.full((9, 9), 4.0), "not all equal"),
        (np.linspace(-2, -1, 400).reshape(20, 20), "above 0"),
    ],
)
def test_an_image_without_a_field_is_refused_with_the_reason(image: npt.NDArray[Any], why: str) -> None:
    with pytest.raises(CaseError, match=why):
        apply_step(step("n4"), image, (1.0,) * image.ndim)


def test_odd_and_even_slices_of_a_real_scan_are_evened_out() -> None:
    path = DATA / "ms" / "patient01" / "study1_T1W.nii.gz"
    if not path.exists():
        pytest.skip(f"{path} is absent")
    import SimpleITK as sitk

    image = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))[:, ::2, ::2]
    interleave = step("interleave")
    view = View.of(image, (3.0, 1.4, 1.4))
    found = look(interleave, image, view).measured["gains"]
    assert np.mean(found[::2]) / np.mean(found[1::2]) == pytest.approx(1.04, abs=0.01)
    evened = apply_step(interleave, image, view.spacing_mm)
    again = look(interleave, evened, view).measured["gains"]
    assert np.allclose(again, 1.0, atol=0.005)
