"""Statistics of an image read in blocks equal those of the image in one piece."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as stn

from storage.errors import CaseError
from tasks.imaging import order_statistics
from tasks.imaging.order_statistics import above, histogram, inside, mapped, moments, otsu, quantiles, ranked
from tasks.imaging.step import Blocks

RNG = np.random.default_rng(0)
Q = (0.0, 0.01, 0.25, 0.5, 0.777, 0.99, 1.0)


def in_blocks(array: npt.NDArray[Any], cuts: Sequence[int] = ()) -> Blocks:
    """The image cut along its first axis."""
    ends = [0, *sorted(cuts), len(array)]
    return lambda: [((a,) + (0,) * (array.ndim - 1), array[a:b]) for a, b in itertools.pairwise(ends) if a < b]


@pytest.fixture(params=["gathered", "counted"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small images are sorted, large ones counted: both must be asked."""
    if request.param == "counted":
        monkeypatch.setattr(order_statistics, "GATHERED", 0)


def test_the_median_of_four_values_lies_between_the_middle_ones() -> None:
    assert quantiles(in_blocks(np.array([4, 1, 9, 2], np.uint8), [2]), [0.5]) == [3.0]


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int16", "int32", "uint32", "int64", "f2", "f4", "f8"])
@pytest.mark.usefixtures("way")
def test_quantiles_equal_numpys(dtype: str) -> None:
    info = np.iinfo(dtype) if np.dtype(dtype).kind in "iu" else None
    values = RNG.normal(0, 1000, (30, 20, 10))
    array = values.clip(info.min, info.max).astype(dtype) if info else values.astype(dtype)
    wanted = np.quantile(array.astype(np.float64), Q)
    assert np.allclose(quantiles(in_blocks(array, [7, 8]), Q), wanted, rtol=1e-14, atol=0)


@settings(deadline=None, max_examples=60, derandomize=True)
@given(
    stn.arrays("float32", st.integers(1, 60), elements=st.floats(-(2.0**100), 2.0**100, width=32)),
    st.lists(st.integers(0, 60), max_size=4),
)
def test_the_values_by_rank_are_those_of_the_sorted_image(array: npt.NDArray[Any], cuts: list[int]) -> None:
    found = ranked(in_blocks(array, [min(c, len(array)) for c in cuts]), range(len(array)))
    assert list(found.values()) == np.sort(array).tolist()


@pytest.mark.usefixtures("way")
def test_negative_numbers_zeros_and_ties_are_in_order() -> None:
    array = np.array([0.0, -0.0, -1.5, 2.0, 2.0, -1e-30, 1e-30, -7.0], np.float32)
    assert quantiles(in_blocks(array, [3]), [k / 7 for k in range(8)]) == pytest.approx(np.sort(array).tolist(), abs=0)


def test_a_memory_order_of_columns_changes_nothing() -> None:
    array = RNG.normal(size=(20, 30)).astype(np.float32)
    assert quantiles(in_blocks(np.asfortranarray(array)), Q) == quantiles(in_blocks(array, [5, 11]), Q)
    assert quantiles(in_blocks(array[:, ::3]), [0.5])[0] == pytest.approx(float(np.median(array[:, ::3])))


def test_a_large_mean_costs_the_deviation_no_digits() -> None:
    array = RNG.normal(1e8, 1.0, 300_000)
    found = moments(in_blocks(array, [10, 1000, 200_000]))
    assert found.std == pytest.approx(array.std(), rel=1e-9)
    assert found.mean == pytest.approx(array.mean(), rel=1e-15)
    assert (found.count, found.minimum, found.maximum) == (array.size, array.min(), array.max())


@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32"])
def test_moments_do_not_depend_on_the_blocks(dtype: str) -> None:
    array = RNG.uniform(0, 200, (40, 7)).astype(dtype)
    one, many = moments(in_blocks(array)), moments(in_blocks(array, list(range(1, 40))))
    assert many.mean == pytest.approx(one.mean, rel=1e-13)
    assert many.std == pytest.approx(one.std, rel=1e-12)


def test_of_nothing_there_is_no_mean() -> None:
    nothing = above(in_blocks(np.zeros(4)), 1.0)
    assert (moments(nothing).count, np.isnan(moments(nothing).mean)) == (0, True)


def test_the_histogram_equals_numpys() -> None:
    array = RNG.normal(size=(50, 40)).astype(np.float32)
    low, high = float(array.min()), float(array.max())
    wanted = np.histogram(array, bins=33, range=(low, high))[0]
    assert np.array_equal(histogram(in_blocks(array, [3, 17]), bins=33, low=low, high=high), wanted)


def test_otsus_threshold_equals_scikit_images() -> None:
    from skimage.filters import threshold_otsu

    array = np.concatenate([RNG.normal(0, 1, 4000), RNG.normal(6, 1, 3000)]).astype(np.float32)
    assert otsu(in_blocks(array, [100, 5000])) == pytest.approx(threshold_otsu(array), rel=1e-6)


def test_the_threshold_of_a_constant_image_is_its_value() -> None:
    assert otsu(in_blocks(np.full((3, 3), 7.0))) == 7.0


def test_regions_hold_what_is_above_them() -> None:
    array = np.array([-1.0, 0.0, 1.0, 1.85, 98.0, 100.0])
    sizes = {}
    for region in ("all", "nonzero", "above_mean", "patient"):
        sizes[region] = moments(inside(in_blocks(array, [2]), region)).count
    assert sizes == {"all": 6, "nonzero": 4, "above_mean": 2, "patient": 2}


def test_a_function_of_each_block_may_leave_values_out() -> None:
    even = mapped(in_blocks(np.arange(10), [3]), lambda block: block[block % 2 == 0])
    assert moments(even).count == 5


@pytest.mark.parametrize("ask", [lambda b: quantiles(b, [0.5]), otsu])
def test_nothing_has_neither_quantiles_nor_threshold(ask: Any) -> None:
    with pytest.raises(CaseError, match="nothing"):
        ask(in_blocks(np.empty(0, np.float32)))
