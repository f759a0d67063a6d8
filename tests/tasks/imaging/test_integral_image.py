"""Integral images: boxes added up by hand and directly."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.imaging.integral_image import box_sums, contrast_integrals, integral_image


@st.composite
def images_with_boxes(draw: st.DrawFn) -> tuple[Any, Any, Any]:
    shape = tuple(draw(st.lists(st.integers(1, 9), min_size=2, max_size=3)))
    rng = np.random.default_rng(draw(st.integers(0, 2**20)))
    image = rng.normal(0.0, 500.0, shape).astype(draw(st.sampled_from(["int16", "int32", "float32", "float64"])))
    ends = np.sort(rng.integers(0, np.array(shape) + 1, (2, 20, len(shape))), axis=0)
    return image, ends[0], ends[1]


def test_two_by_two_pixels_become_their_running_sums() -> None:
    sums = integral_image(np.array([[1, 2], [3, 4]], dtype=np.uint8))
    assert sums.tolist() == [[0, 0, 0], [0, 1, 3], [0, 4, 10]]
    assert sums.dtype == np.int64


def test_a_box_of_a_volume_of_ones_has_its_volume_as_sum() -> None:
    sums = integral_image(np.ones((4, 5, 6), dtype=np.int16))
    assert box_sums(sums, [[1, 1, 1], [0, 0, 0], [2, 2, 2]], [[3, 4, 5], [4, 5, 6], [2, 5, 6]]).tolist() == [24, 120, 0]


@given(images_with_boxes())
@settings(max_examples=60, deadline=None, derandomize=True)
def test_sums_over_boxes_are_those_added_up_directly(drawn: tuple[Any, Any, Any]) -> None:
    image, starts, stops = drawn
    wide = image.astype(np.float64 if image.dtype.kind == "f" else np.int64)
    direct = [
        wide[tuple(slice(a, b) for a, b in zip(start, stop, strict=True))].sum()
        for start, stop in zip(starts, stops, strict=True)
    ]
    sums = box_sums(integral_image(image), starts, stops)
    assert sums.dtype == wide.dtype
    assert np.array_equal(sums, direct) if wide.dtype == np.int64 else np.allclose(sums, direct, rtol=0, atol=1e-9)


def test_whole_numbers_stay_exact_where_floats_would_not() -> None:
    image = np.full((64, 64, 64), 2**40 + 1, dtype=np.int64)
    sums = integral_image(image)
    assert box_sums(sums, [[63, 63, 63]], [[64, 64, 64]]).tolist() == [2**40 + 1]
    assert sums[-1, -1, -1] == 64**3 * (2**40 + 1) > 2**53


@pytest.mark.parametrize("axes", [2, 3])
def test_a_batch_is_each_of_its_images_by_itself(axes: int) -> None:
    batch = np.random.default_rng(0).integers(-900, 900, (3, 4, 5, 6)[3 - axes :], dtype=np.int16)
    sums = integral_image(batch, axes)
    assert all(np.array_equal(one, integral_image(image)) for one, image in zip(sums, batch, strict=True))
    boxes = [[1] * axes], [[3] * axes]
    assert np.array_equal(box_sums(sums, *boxes)[2], box_sums(sums[2], *boxes))


def test_threads_and_the_order_of_bytes_change_nothing() -> None:
    batch = np.random.default_rng(1).normal(size=(5, 6, 7, 8))
    expected = integral_image(batch, 3, threads=1)
    assert np.array_equal(integral_image(batch, 3, threads=3), expected)
    assert np.array_equal(integral_image(np.asfortranarray(batch), 3), expected)
    assert np.array_equal(integral_image(batch.astype(">f8"), 3), expected)


def test_contrast_integrals_tell_the_variance_of_a_box_far_from_zero() -> None:
    image = np.random.default_rng(2).normal(1e6, 1.0, (20, 30))
    sums, squares = contrast_integrals(image)
    start, stop = [[3, 4]], [[15, 26]]
    count = 12 * 22
    variance = box_sums(squares, start, stop) / count - (box_sums(sums, start, stop) / count) ** 2
    assert variance[0] == pytest.approx(image[3:15, 4:26].var(), rel=1e-9)


@pytest.mark.parametrize("shape", [(0, 3, 4), (2, 0, 4)])
def test_nothing_has_integral_images_of_zeros(shape: tuple[int, ...]) -> None:
    sums = integral_image(np.zeros(shape), 2)
    assert sums.shape == (shape[0], shape[1] + 1, shape[2] + 1)
    assert not sums.any()


def test_what_has_neither_two_nor_three_axes_is_refused() -> None:
    for array, axes in ((np.zeros(3), None), (np.zeros((2, 2, 2, 2)), None), (np.zeros((2, 2)), 3)):
        with pytest.raises(ValueError, match="2 or 3 axes to sum along"):
            integral_image(array, axes)


@pytest.mark.parametrize(("start", "stop"), [((-1, 0), (1, 1)), ((2, 0), (1, 1)), ((0, 0), (1, 5))])
def test_boxes_beyond_the_image_are_refused(start: tuple[int, int], stop: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=r"inside an image of \(3, 4\)"):
        box_sums(integral_image(np.zeros((3, 4))), [start], [stop])
