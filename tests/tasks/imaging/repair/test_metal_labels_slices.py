"""Metal is limited, drawn marks are filled, slices that jump are evened out."""

from __future__ import annotations

from typing import Any

import dask.array as da
import numpy as np
import numpy.typing as npt
import pytest

from tasks.imaging.catalog import step_named
from tasks.imaging.chunked import apply_chunked
from tasks.imaging.repair.inpaint import inpaint, label_mask
from tasks.imaging.repair.interleave import slice_gains
from tasks.imaging.step import Step, apply_step

RNG = np.random.default_rng(0)


def step(name: str, **settings: Any) -> Step:
    return step_named(name)(**settings)


def test_metal_is_cut_and_the_dark_near_it_raised_but_not_the_dark_far_away() -> None:
    row = np.array([[-1100, -1024, 40, 8000, -1500, 60, 70, -1200]], np.int16)
    limited = apply_step(step("metal", reach_mm=1.5), row, (1.0, 1.0), unit="HU")
    assert limited.tolist() == [[-1100, -1024, 40, 3000, -1000, 60, 70, -1200]]
    assert limited.dtype == np.int16


def test_without_metal_nothing_changes() -> None:
    ct = RNG.integers(-1100, 2900, (5, 6, 7)).astype(np.int16)
    assert np.array_equal(apply_step(step("metal"), ct, (1.0, 1.0, 1.0), unit="HU"), ct)


def test_a_scale_that_ends_in_a_plateau_is_metal_from_there_on() -> None:
    ct = np.full((1, 20), -1400, np.int16)
    ct[0, :10] = 2500
    limited = apply_step(step("metal", reach_mm=3.0), ct, (1.0, 1.0), unit="HU")
    assert limited[0].tolist() == [2500] * 10 + [-1000] * 3 + [-1400] * 7


def test_metal_in_blocks_equals_metal_in_one_piece() -> None:
    ct = RNG.integers(-1500, 200, (9, 14, 13)).astype(np.float32)
    ct[RNG.uniform(size=ct.shape) < 0.01] = 9000
    metal = step("metal", reach_mm=4.0)
    whole = apply_step(metal, ct, (3.0, 1.0, 1.3), unit="HU")
    parts = apply_chunked(metal, da.from_array(ct, chunks=(4, 6, 5)), (3.0, 1.0, 1.3), unit="HU").compute()
    assert np.array_equal(parts, whole)


def speckle(shape: tuple[int, int] = (120, 140)) -> npt.NDArray[Any]:
    """As ultrasound looks: bright and dark, but blurred."""
    from scipy.ndimage import gaussian_filter

    grey = gaussian_filter(np.abs(RNG.normal(size=shape)), 2.0)
    return np.asarray(230 * (grey - grey.min()) / np.ptp(grey)).astype(np.uint8)


def callipers(picture: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_]]:
    """Two crosses and a dotted line between them."""
    drawn = np.zeros(picture.shape, bool)
    for x in (30, 90):
        drawn[60:62, x - 7 : x + 8] = True
        drawn[54:68, x : x + 2] = True
    drawn[60, 41:80:4] = True
    return np.where(drawn, 255, picture).astype(picture.dtype), drawn


def test_callipers_are_found_with_the_dots_between_them() -> None:
    dark = (speckle() * 0.5).astype(np.uint8)
    marked, drawn = callipers(dark)
    mask = label_mask(marked, grow_pixels=0)
    assert np.array_equal(mask, drawn)


def test_speckle_without_marks_is_left_alone() -> None:
    picture = speckle()
    assert not label_mask(picture).any()
    assert np.array_equal(apply_step(step("inpaint"), picture, (1.0, 1.0)), picture.astype(np.float32))


def test_a_filled_mark_looks_like_what_was_under_it() -> None:
    under = (speckle() * 0.5).astype(np.uint8)
    marked, drawn = callipers(under)
    colour = np.repeat(marked[..., None], 3, axis=-1)
    filled = apply_step(step("inpaint"), colour, (1.0, 1.0))
    before, after = np.abs(colour[..., 0] - under.astype(float)), np.abs(filled[..., 0] - under)
    assert before[drawn].mean() > 150
    assert after[drawn].mean() < 10
    assert np.array_equal(filled[~label_mask(marked)], colour[~label_mask(marked)])


def test_a_hole_in_a_plane_is_filled_by_the_plane() -> None:
    y, x = np.mgrid[:30, :40].astype(np.float64)
    plane, mask = 3 * y - 2 * x + 7, np.zeros((30, 40), bool)
    mask[12:15, 18:22] = True
    assert np.allclose(inpaint(np.where(mask, 1e4, plane), mask), plane, atol=0.05)


def test_a_mask_of_everything_fills_nothing() -> None:
    assert np.array_equal(inpaint(np.ones((5, 5)), np.ones((5, 5), bool)), np.ones((5, 5)))


def head(slices: int = 24) -> npt.NDArray[Any]:
    """A ball of tissue with structure that goes on through the slices, on air."""
    from scipy.ndimage import gaussian_filter

    z, y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in (slices, 40, 40)), indexing="ij")
    tissue = 300 + 200 * gaussian_filter(RNG.normal(size=z.shape), (4, 2, 2)) + RNG.normal(0, 5, z.shape)
    return np.where(0.5 * z**2 + y**2 + x**2 < 0.8, tissue, np.abs(RNG.normal(0, 4, z.shape)))


def test_an_alternation_of_slices_is_taken_out() -> None:
    image = head()
    gain = np.where(np.arange(24) % 2, 0.9, 1.1)[:, None, None]
    even = apply_step(step("interleave"), image * gain, (4.0, 1.0, 1.0))
    ratio = (even / apply_step(step("interleave"), image, (4.0, 1.0, 1.0)))[:, 20, 20]
    assert np.ptp(ratio) < 0.01


def test_a_single_bright_slice_is_brought_back() -> None:
    image = head()
    broken = image.copy()
    broken[9] *= 1.3
    even = apply_step(step("interleave"), broken, (4.0, 1.0, 1.0))
    assert np.median((even / image)[9, 15:25, 15:25]) == pytest.approx(1.0, abs=0.02)
    assert np.allclose(np.delete(even / image, 9, axis=0), 1.0, atol=0.02)


@pytest.mark.parametrize("course", [np.linspace(0, 1, 20), np.where(np.arange(20) < 9, 0.0, 0.5)])
def test_a_slope_and_a_step_are_anatomy_and_stay(course: npt.NDArray[Any]) -> None:
    assert np.allclose(slice_gains(np.diff(course).tolist()), 1.0, atol=1e-12)


def test_gains_of_an_alternation_are_its_factors() -> None:
    sign = np.where(np.arange(20) % 2, -1.0, 1.0)
    assert np.allclose(slice_gains(np.diff(0.1 * sign + np.linspace(0, 1, 20)).tolist()), np.exp(0.1 * sign))


@pytest.mark.parametrize("slices", [1, 2, 3, 4])
def test_few_slices_have_no_alternation(slices: int) -> None:
    assert slice_gains([0.02, -0.02, 0.02][: slices - 1]) == [1.0] * slices
