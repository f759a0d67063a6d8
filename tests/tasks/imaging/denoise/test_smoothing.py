"""Mean, Gaussian and median: what scipy and SimpleITK give, whatever the type, the shape and the number of threads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import SimpleITK as sitk
from pydantic import ValidationError
from scipy import ndimage

from tasks.imaging import gaussian_weights
from tasks.imaging.denoise import mean as mean_step
from tasks.imaging.denoise import median as median_step
from tasks.imaging.denoise.gaussian import gaussian
from tasks.imaging.denoise.mean import mean
from tasks.imaging.denoise.median import median
from tasks.imaging.kernels.separable import convolve

Image = npt.NDArray[Any]
RNG = np.random.default_rng(4)
ONE_MM = (1.0, 1.0, 1.0)
SHAPES = [(9, 20, 31), (1, 12, 300), (4, 1, 7), (3, 2, 1), (30, 41), (1, 1)]
"""Also such as are smaller than a kernel, and longer than the rows that are done together."""
DTYPES = ["uint8", "int16", "uint16", "float32", "float64"]


def image(shape: tuple[int, ...], dtype: str = "int16") -> Image:
    return RNG.integers(0, 250, shape).astype(dtype)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_the_gaussian_is_that_of_scipy(shape: tuple[int, ...], dtype: str) -> None:
    values, spacing = image(shape, dtype), (3.0, 0.8, 1.1)[-len(shape) :]
    ours = gaussian(values, spacing_mm=spacing, sigma_mm=1.7)
    theirs = ndimage.gaussian_filter(values.astype(np.float64), [1.7 / s for s in spacing])
    assert ours.dtype == (np.float64 if dtype == "float64" else np.float32)
    assert np.allclose(ours, theirs, rtol=0, atol=1e-3 if dtype != "float64" else 1e-10)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("size", [1, 3, 7])
def test_the_mean_is_that_of_scipy(shape: tuple[int, ...], size: int) -> None:
    values = image(shape)
    ours = mean(values, spacing_mm=ONE_MM[-len(shape) :], size=size)
    assert np.allclose(ours, ndimage.uniform_filter(values.astype(np.float64), size), rtol=0, atol=1e-3)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", [1, 3, 5])
def test_the_median_is_that_of_scipy(shape: tuple[int, ...], dtype: str, size: int) -> None:
    values = image(shape, dtype) if dtype != "float32" else RNG.normal(0, 3, shape).astype(dtype)
    ours = median(values, spacing_mm=ONE_MM[-len(shape) :], size=size)
    assert ours.dtype == values.dtype
    assert np.array_equal(ours, ndimage.median_filter(values, size, mode="reflect"))


def test_the_median_of_27_is_that_of_simpleitk_up_to_the_border() -> None:
    values = RNG.normal(0, 300, (6, 40, 530)).astype(np.int16)
    theirs = sitk.GetArrayFromImage(sitk.Median(sitk.GetImageFromArray(values), [1, 1, 1]))
    assert np.array_equal(median(values, spacing_mm=ONE_MM, size=3), theirs)


@pytest.mark.parametrize("low", [-32768, -5, 32000])
def test_the_median_of_a_box_finds_the_ends_of_the_type(low: int) -> None:
    values = RNG.integers(low, min(low + 60000, 32767), (5, 9, 11), endpoint=True).astype(np.int16)
    assert np.array_equal(median(values, spacing_mm=ONE_MM, size=(1, 5, 3)), ndimage.median_filter(values, (1, 5, 3)))


def test_the_median_removes_a_dead_pixel_and_leaves_an_edge() -> None:
    values = np.zeros((7, 8), dtype=np.int16)
    values[:, 4:] = 100
    broken = values.copy()
    broken[3, 2], broken[5, 6] = 3000, -3000
    assert np.array_equal(median(broken, spacing_mm=(1.0, 1.0), size=3), values)


def test_a_box_within_slices_does_not_look_at_others() -> None:
    values = image((5, 12, 13))
    for filtered, wanted in (
        (median(values, spacing_mm=ONE_MM, size=(3, 3)), [ndimage.median_filter(s, 3) for s in values]),
        (median(values, spacing_mm=ONE_MM, size=(5, 5)), [ndimage.median_filter(s, 5) for s in values]),
        (
            mean(values, spacing_mm=ONE_MM, size=(3, 5)),
            [ndimage.uniform_filter(s.astype(float), (3, 5)) for s in values],
        ),
    ):
        assert np.allclose(filtered, np.stack(wanted), rtol=0, atol=1e-4)


def test_a_picture_takes_the_last_two_of_three_sizes() -> None:
    values = image((12, 13))
    wanted = ndimage.median_filter(values, (5, 3))
    assert np.array_equal(median(values, spacing_mm=(1.0, 1.0), size=(7, 5, 3)), wanted)


@pytest.mark.parametrize(
    "smooth", [lambda v: mean(v, spacing_mm=(1.0, 2.0)), lambda v: median(v, spacing_mm=(1.0, 2.0))]
)
def test_colours_are_smoothed_apart(smooth: Callable[[Image], Image]) -> None:
    values = image((14, 15, 3), "uint8")
    assert np.array_equal(smooth(values), np.stack([smooth(values[..., c]) for c in range(3)], axis=-1))


def test_the_number_of_threads_does_not_change_a_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    values = RNG.normal(0, 300, (11, 30, 40)).astype(np.float32)
    results = []
    for threads in ("1", "4"):
        monkeypatch.setenv("OMP_NUM_THREADS", threads)
        results.append(
            [
                gaussian(values, spacing_mm=ONE_MM, sigma_mm=2.0),
                median(values, spacing_mm=ONE_MM, size=3),
                median(values, spacing_mm=ONE_MM, size=5),
            ]
        )
    assert all(np.array_equal(one, other) for one, other in zip(*results, strict=True))


def test_independent_noise_falls_by_the_root_of_the_voxels_in_a_box() -> None:
    noise = RNG.normal(0, 1, (30, 60, 60))
    inside = mean(noise, spacing_mm=ONE_MM, size=3)[1:-1, 1:-1, 1:-1]
    assert inside.std() == pytest.approx(27**-0.5, rel=0.03)


def test_weights_give_constants_slopes_and_curvatures_exactly() -> None:
    for sigma in (0.05, 0.4, 1.0, 3.3):
        for order, wanted in ((0, (1, 0)), (1, (0, 1, 0)), (2, (0, 0, 2))):
            row = np.array(gaussian_weights.weights(sigma, order=order))
            x = np.arange(len(row)) - len(row) // 2
            assert [row @ x**power for power in range(len(wanted))] == pytest.approx(wanted, abs=1e-9)


def test_some_slices_of_a_convolution_are_those_of_the_whole() -> None:
    values, rows = image((9, 10, 11)), [gaussian_weights.weights(1.5)] * 3
    assert np.array_equal(convolve(values, rows, (3, 7)), convolve(values, rows)[3:7])


@pytest.mark.parametrize("settings", [mean_step.Settings, median_step.Settings])
@pytest.mark.parametrize("size", [0, 2, (3, 4), (3, 3, 3, 3)])
def test_a_box_needs_a_middle(settings: type[Any], size: Any) -> None:
    with pytest.raises(ValidationError):
        settings(size=size)
