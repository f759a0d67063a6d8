"""Missing values, defective pixels and lines: what is broken is mended, and nothing else is touched."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from storage.errors import CaseError
from tasks.imaging.catalog import step_named
from tasks.imaging.chunked import apply_chunked
from tasks.imaging.repair.bad_lines import find_bad_lines, interpolate_lines
from tasks.imaging.repair.finite import mend
from tasks.imaging.repair.hot_pixels import isolated, repair_hot_pixels
from tasks.imaging.step import Step, View, apply_step, look

RNG = np.random.default_rng(0)


def step(name: str, **settings: Any) -> Step:
    return step_named(name)(**settings)


def smooth_picture(shape: tuple[int, ...] = (60, 50)) -> npt.NDArray[Any]:
    """What a scanner can image: blurred, with noise."""
    from scipy.ndimage import gaussian_filter

    return 100 + 400 * gaussian_filter(RNG.normal(size=shape), 2.0) + RNG.normal(0, 2, shape)


def test_padding_outside_the_field_of_view_becomes_air() -> None:
    ct = np.array([[-2000, -1000, 40], [-3024, 60, -2048]], np.int16)
    mended = apply_step(step("finite"), ct, (1.0, 1.0), unit="HU")
    assert mended.tolist() == [[-1024, -1000, 40], [-1024, 60, -1024]]
    assert mended.dtype == np.int16


def test_without_a_unit_what_is_not_finite_becomes_the_smallest_value() -> None:
    image = np.array([[np.nan, 3.0], [np.inf, -np.inf], [2.0, 9.0]])
    assert apply_step(step("finite"), image, (1.0, 1.0)).tolist() == [[2.0, 3.0], [2.0, 2.0], [2.0, 9.0]]


def test_the_nearest_measurement_is_taken_within_reach_in_mm() -> None:
    row = np.array([[5.0, np.nan, np.nan, np.nan, np.nan, np.nan, 8.0]])
    assert mend(row, spacing_mm=(1.0, 2.0), fill=0.0, reach_mm=4.0).tolist() == [[5, 5, 5, 0, 8, 8, 8]]
    column = mend(row.T, spacing_mm=(5.0, 1.0), fill=0.0, reach_mm=4.0)
    assert column.ravel().tolist() == [5, 0, 0, 0, 0, 0, 8]


def test_missing_values_are_mended_in_blocks_as_in_one_piece() -> None:
    import dask.array as da

    image = RNG.normal(size=(9, 12, 11)).astype(np.float32)
    image[RNG.uniform(size=image.shape) < 0.5] = np.nan
    nearest = step("finite", reach_mm=2.5)
    whole = apply_step(nearest, image, (1.0, 0.8, 1.2))
    parts = apply_chunked(nearest, da.from_array(image, chunks=(4, 5, 6)), (1.0, 0.8, 1.2)).compute()
    assert np.isfinite(whole).all()
    assert np.array_equal(parts, whole)


def test_an_image_without_any_measurement_is_refused() -> None:
    with pytest.raises(CaseError, match="no voxel holds a measurement"):
        apply_step(step("finite"), np.full((3, 3), np.nan), (1.0, 1.0))


def test_a_value_that_the_type_cannot_hold_is_refused() -> None:
    with pytest.raises(CaseError, match="uint8 does not hold it"):
        mend(np.zeros((2, 2), np.uint8), spacing_mm=(1.0, 1.0), fill=-1024.0, padding=(0.0,))


@pytest.mark.parametrize("shape", [(60, 50), (12, 20, 18)])
def test_exactly_the_planted_defects_are_mended(shape: tuple[int, ...]) -> None:
    image = smooth_picture(shape)
    broken, planted = image.copy(), np.zeros(shape, bool)
    for place in [tuple(n // 4 for n in shape), tuple(n // 2 for n in shape), (0,) * len(shape)]:
        planted[place] = True
    broken[planted] = [5000.0, -3000.0, 4000.0]
    mended = apply_step(step("hot_pixels"), broken, (1.0,) * len(shape))
    assert np.array_equal(mended != broken, planted)
    assert np.abs(mended - image)[planted].max() < 60


def test_a_point_that_was_blurred_by_the_scanner_is_no_defect() -> None:
    from scipy.ndimage import gaussian_filter

    point = np.zeros((21, 21))
    point[10, 10] = 1000.0
    blurred = gaussian_filter(point, 0.9)
    assert not isolated(blurred)[10, 10]
    assert np.array_equal(repair_hot_pixels(blurred, deviations=3.0), blurred)
    assert repair_hot_pixels(point)[10, 10] == 0


def test_a_vessel_across_slices_is_no_defect() -> None:
    volume = RNG.normal(0, 1, (9, 15, 15))
    volume[:, 7, 7] += 300.0
    assert np.array_equal(apply_step(step("hot_pixels"), volume, (1.0, 1.0, 1.0)), volume)


def test_an_integer_defect_becomes_an_integer() -> None:
    image = np.full((9, 9), 10, np.uint8)
    image[4, 4] = 255
    mended = apply_step(step("hot_pixels"), image, (1.0, 1.0))
    assert mended.dtype == np.uint8
    assert mended[4, 4] == 10


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("value", [-300.0, 900.0])
def test_a_planted_line_is_found_and_interpolated(axis: int, value: float) -> None:
    image = smooth_picture()
    broken = image.copy()
    np.moveaxis(broken, axis, 0)[[20, 21]] = value
    assert find_bad_lines(broken, axis=axis) == [20, 21]
    assert find_bad_lines(broken, axis=1 - axis) == []
    mended = apply_step(step("bad_lines"), broken, (1.0, 1.0))
    untouched = np.delete(np.moveaxis(mended, axis, 0), [20, 21], axis=0)
    assert np.array_equal(untouched, np.delete(np.moveaxis(image, axis, 0), [20, 21], axis=0))
    assert np.abs(mended - image).max() < 60


def test_lines_between_two_good_ones_follow_a_straight_line() -> None:
    ramp = np.repeat(np.arange(0.0, 60.0, 10.0)[:, None], 4, axis=1)
    broken = ramp.copy()
    broken[[2, 3]] = -99.0
    assert np.allclose(interpolate_lines(broken, [2, 3], axis=0), ramp)
    assert interpolate_lines(broken, [0], axis=0)[0].tolist() == [10.0] * 4


def test_a_step_a_short_bar_and_a_broad_band_are_no_bad_lines() -> None:
    image = RNG.normal(100, 1, (60, 60))
    image[30:] += 500.0
    image[10, 5:40] = 900.0
    image[45:50] += 400.0
    assert apply_step(step("bad_lines"), image, (1.0, 1.0)) == pytest.approx(image, abs=0)


def test_only_the_slice_with_the_bad_line_is_mended_also_in_blocks() -> None:
    import dask.array as da

    volume = np.stack([smooth_picture((30, 28)) for _ in range(5)]).astype(np.int16)
    volume[3, :, 9] = -500
    volume[3, 12] = 2000
    bad = step("bad_lines")
    view = View.of(volume, (2.0, 1.0, 1.0))
    assert look(bad, volume, view).measured == {"lines": [[3, 0, 12], [3, 1, 9]]}
    mended = apply_step(bad, volume, view.spacing_mm)
    assert np.array_equal(np.delete(mended, 3, axis=0), np.delete(volume, 3, axis=0))
    assert mended.max() < 500
    assert mended.min() > -400
    parts = apply_chunked(bad, da.from_array(volume, chunks=(2, 13, 10)), view.spacing_mm).compute()
    assert np.array_equal(parts, mended)
