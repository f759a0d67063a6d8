"""The Haar transform: blocks by hand, PyWavelets to the last digits, and back."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import pywt
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.imaging.haar import haar, haar_levels, inverse_haar, inverse_haar_levels


@st.composite
def images(draw: st.DrawFn) -> npt.NDArray[Any]:
    shape = tuple(draw(st.lists(st.integers(1, 13), min_size=2, max_size=3)))
    values = np.random.default_rng(draw(st.integers(0, 2**20))).normal(0.0, 300.0, shape)
    dtype = draw(st.sampled_from(["uint8", "int16", "int32", "float32", "float64"]))
    return (np.abs(values) % 256 if dtype == "uint8" else values).astype(dtype)


def agree(ours: npt.NDArray[Any], theirs: npt.NDArray[Any]) -> bool:
    """Equal but for what rounding leaves of values of some hundreds."""
    return np.allclose(ours, theirs, rtol=0.0, atol=1e-11 if ours.dtype == np.float64 else 2e-3)


def test_a_block_of_2_by_2_becomes_its_sum_and_three_differences() -> None:
    bands = haar(np.array([[1, 2], [3, 8]], dtype=np.int16))
    assert {name: float(band[0, 0]) for name, band in bands.items()} == {"aa": 7.0, "ad": -3.0, "da": -4.0, "dd": 2.0}


def test_a_step_along_z_is_seen_by_the_band_named_daa() -> None:
    volume = np.zeros((2, 2, 2), dtype=np.int16)
    volume[0] = 1
    seen = {name: round(float(band[0, 0, 0]), 6) for name, band in haar(volume).items()}
    assert seen == {n: 1.414214 if n in ("aaa", "daa") else 0.0 for n in seen}
    assert list(seen) == ["aaa", "aad", "ada", "add", "daa", "dad", "dda", "ddd"]


@given(images())
@settings(max_examples=60, deadline=None, derandomize=True)
def test_coefficients_are_those_of_pywavelets(image: npt.NDArray[Any]) -> None:
    bands, theirs = haar(image), pywt.dwtn(image.astype(np.float64), "haar", mode="symmetric")
    assert list(bands) == sorted(theirs)
    for name, band in bands.items():
        assert band.dtype == (np.float64 if image.dtype == np.float64 else np.float32)
        assert agree(band, theirs[name])


@pytest.mark.filterwarnings("ignore:Level value")  # PyWavelets warns of more passes than the shortest axis bears
@given(images(), st.integers(0, 3))
@settings(max_examples=40, deadline=None, derandomize=True)
def test_several_passes_are_those_of_pywavelets(image: npt.NDArray[Any], levels: int) -> None:
    theirs = pywt.wavedecn(image.astype(np.float64), "haar", level=levels)
    ours = haar_levels(image, levels)
    assert len(ours) == len(theirs)
    assert agree(ours[0], theirs[0])
    for bands, expected in zip(ours[1:], theirs[1:], strict=True):
        assert list(bands) == sorted(expected)
        assert all(agree(bands[name], expected[name]) for name in bands)


@given(images(), st.integers(0, 3))
@settings(max_examples=40, deadline=None, derandomize=True)
def test_back_and_forth_is_the_image(image: npt.NDArray[Any], levels: int) -> None:
    assert agree(inverse_haar(haar(image), image.shape), image)
    assert agree(inverse_haar_levels(haar_levels(image, levels), image.shape), image)


def test_without_a_number_the_shortest_axis_is_halved_to_one_voxel() -> None:
    assert [len(haar_levels(np.ones((n, 16)))) - 1 for n in (1, 2, 7, 8, 20)] == [0, 1, 2, 3, 4]


def test_energy_is_kept() -> None:
    image = np.random.default_rng(0).normal(size=(8, 6, 10))
    assert sum((band**2).sum() for band in haar(image).values()) == pytest.approx((image**2).sum())


@pytest.mark.parametrize("shape", [(9, 31), (9, 14, 31)])
def test_threads_do_not_change_a_bit(shape: tuple[int, ...]) -> None:
    image = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    one, three = haar(image, threads=1), haar(image, threads=3)
    assert all(np.array_equal(one[name], three[name]) for name in one)
    assert np.array_equal(inverse_haar(one, shape, threads=1), inverse_haar(one, shape, threads=3))


def test_the_order_of_bytes_in_memory_does_not_matter() -> None:
    image = np.random.default_rng(2).integers(-500, 500, (7, 8, 9)).astype(np.int16)
    expected = haar(image)
    for other in (np.asfortranarray(image), image.astype(">i2"), image.astype(np.float16)):
        assert all(np.array_equal(haar(other)[name], expected[name]) for name in expected)


def test_a_given_array_is_filled_and_returned_in_views() -> None:
    out = np.full((4, 2, 3), np.nan, dtype=np.float32)
    bands = haar(np.ones((4, 5), dtype=np.uint8), out=out)
    assert np.shares_memory(bands["aa"], out)
    assert np.array_equal(out[0], np.full((2, 3), 2.0))
    assert not out[1:].any()


def test_a_given_array_that_does_not_fit_is_refused() -> None:
    for out in (np.empty((4, 2, 2), np.float32), np.empty((4, 2, 3)), np.empty((3, 2, 4), np.float32).T):
        with pytest.raises(ValueError, match=r"expected out of \(4, 2, 3\), float32"):
            haar(np.ones((4, 5), dtype=np.uint8), out=out)


def test_the_image_is_left_as_it_was() -> None:
    image = np.random.default_rng(3).normal(size=(5, 6)).astype(np.float32)
    before = image.copy()
    bands = haar(image)
    kept = {name: band.copy() for name, band in bands.items()}
    inverse_haar(bands, (5, 6))
    assert np.array_equal(image, before)
    assert all(np.array_equal(bands[name], kept[name]) for name in bands)


@pytest.mark.parametrize("shape", [(4,), (0, 4), (2, 2, 2, 2)])
def test_what_is_no_picture_or_volume_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="at least one voxel"):
        haar(np.zeros(shape))


def test_bands_that_do_not_fit_are_refused() -> None:
    bands = haar(np.ones((4, 4)))
    with pytest.raises(ValueError, match="not of an image of"):
        inverse_haar(bands, (4, 6))
    with pytest.raises(ValueError, match="expected all bands"):
        inverse_haar({"aa": bands["aa"]})
    with pytest.raises(ValueError, match="no pass or more"):
        haar_levels(np.ones((4, 4)), -1)
