"""Values on new grids: copied where nothing lies between voxels, and elsewhere as scipy and SimpleITK have them."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from tasks.imaging.gathering import coefficients
from tasks.imaging.lines import smoothing_radius
from tasks.imaging.placement import Box, Interpolation, Placement
from tasks.imaging.placing import place, support

ORDER: dict[Interpolation, Any] = {"nearest": 0, "linear": 1, "cubic": 3}
RNG = np.random.default_rng(0)
NOISE = RNG.normal(0.0, 100.0, (11, 14, 17)).astype(np.float32)
SMOOTH = ndimage.gaussian_filter(RNG.normal(0.0, 100.0, (20, 40, 44)), 1.2).astype(np.float32)


def whole(array: npt.NDArray[Any], placement: Placement, interpolation: Interpolation, **more: Any) -> Any:
    axes = len(placement.shape)
    box = ((0,) * axes, placement.shape)
    outside = more.pop("outside", None)
    return place(
        array, (0,) * axes, placement, box, array.shape[:axes], interpolation=interpolation, outside=outside, **more
    )


def positions(placement: Placement) -> npt.NDArray[np.float64]:
    indices = np.indices(placement.shape).astype(float)
    offset = placement.offset.reshape(-1, *[1] * len(placement.shape))
    return np.asarray(np.einsum("ij,j...->i...", placement.matrix, indices) + offset)


def line(values: Any, at: Any, interpolation: Interpolation, outside: float | None = None) -> list[float]:
    """Values of a row of voxels at evenly spaced positions."""
    step = at[1] - at[0] if len(at) > 1 else 1.0
    placement = Placement((1, len(at)), np.diag([1.0, step]), np.array([0.0, at[0]]))
    result = whole(np.asarray(values, dtype=np.float64)[None], placement, interpolation, outside=outside)
    return [float(v) for v in result[0]]


ROTATION = np.array([[0.9, 0.2, -0.1], [-0.25, 0.95, 0.1], [0.1, -0.05, 1.05]])


def test_linear_is_linear_between_centres_and_goes_on_level_outside() -> None:
    assert line([0, 8], [-1.0, -0.5, 0.0, 0.5, 1.0, 1.5], "linear") == [0, 0, 0, 4, 8, 8]


def test_nearest_takes_the_later_voxel_at_a_tie() -> None:
    assert line([1, 2, 3], [-0.5, 0.5, 1.5, 2.5], "nearest") == [1, 2, 3, 3]


def test_a_number_stands_beyond_the_faces_of_the_border_voxels() -> None:
    at = [-0.75, -0.5, -0.25, 0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75]
    for interpolation in ORDER:
        result = line([5, 5], at, interpolation, outside=-1.0)
        assert np.allclose(result, [-1, *[5] * 9, -1])


def test_cubic_goes_through_the_voxels_and_is_the_parabola_of_a_parabola() -> None:
    values = np.arange(60.0) ** 2
    assert np.allclose(line(values, np.arange(0.0, 60.0), "cubic"), values)
    at = np.arange(25.0, 35.0, 0.3)
    assert np.allclose(line(values, at, "cubic"), at**2, atol=1e-9)


def test_a_flip_a_crop_and_another_order_of_axes_copy_values_of_any_type() -> None:
    for dtype in (np.bool_, np.int8, np.uint8, np.int16, ">i2", np.int64, np.float32, np.float64):
        image = RNG.integers(0, 2 if dtype is np.bool_ else 100, (4, 5, 6)).astype(dtype)
        matrix = np.array([[0, 0, -1], [1, 0, 0], [0, 1, 0]], float)
        result = whole(image, Placement((3, 4, 4), matrix, np.array([3.0, 1.0, 2.0])), "nearest")
        expected = image.transpose(1, 2, 0)[1:4, 2:6, ::-1]
        assert np.array_equal(result, expected)
        assert result.dtype.newbyteorder("=") == image.dtype.newbyteorder("=")


def test_what_is_copied_is_no_view() -> None:
    image = NOISE.copy()
    for interpolation in ORDER:
        result = whole(image, Placement(image.shape, np.eye(3), np.zeros(3)), interpolation)
        assert np.array_equal(result, image)
        assert not np.shares_memory(result, image)


def test_padding_repeats_the_border_or_gives_the_number() -> None:
    image = np.array([[1, 2], [3, 4]], np.int16)
    placement = Placement((4, 3), np.eye(2), np.array([-1.0, 0.0]))
    assert whole(image, placement, "nearest").tolist() == [[1, 2, 2], [1, 2, 2], [3, 4, 4], [3, 4, 4]]
    padded = whole(image, placement, "nearest", outside=-7)
    assert padded.tolist() == [[-7, -7, -7], [1, 2, -7], [3, 4, -7], [-7, -7, -7]]


def test_a_number_that_an_integer_type_cannot_hold_becomes_its_nearest() -> None:
    placement = Placement((1, 3), np.eye(2), np.array([0.0, -1.0]))
    image = np.ones((1, 1), np.uint8)
    assert whole(image, placement, "nearest", outside=-1024.0).tolist() == [[0, 1, 0]]


@pytest.mark.parametrize("interpolation", ORDER)
@pytest.mark.parametrize(
    ("matrix", "offset"),
    [
        (np.diag([0.37, 0.9, 0.6]), (0.1, 0.2, 0.3)),
        (np.diag([-0.5, 1.0, 0.73]), (9.9, 2.0, 0.0)),
        (np.array([[0, 0.6, 0], [0.8, 0, 0], [0, 0, -0.7]]), (1.0, 0.5, 15.2)),
        (ROTATION, (0.413, 2.137, 0.921)),
    ],
)
@pytest.mark.parametrize("dtype", [np.int16, np.float32, np.float64])
def test_inside_the_image_scipy_gives_the_same(interpolation: Any, matrix: Any, offset: Any, dtype: type) -> None:
    image: npt.NDArray[Any] = NOISE.astype(dtype)
    placement = Placement((9, 12, 10), matrix, np.asarray(offset))
    result = whole(image, placement, interpolation)
    at = positions(placement)
    inside = ((at >= 0) & (at <= np.array(image.shape).reshape(3, 1, 1, 1) - 1)).all(axis=0)
    assert inside.sum() > 100
    expected = ndimage.map_coordinates(image.astype(np.float64), at, order=ORDER[interpolation], mode="mirror")
    error = 1e-9 if dtype is np.float64 else 2e-6
    assert np.abs(result - expected)[inside].max() <= error * np.abs(image).max()


def in_itk(image: npt.NDArray[Any], spacing: Any, new: Any, method: int) -> tuple[npt.NDArray[Any], Placement]:
    ratio = np.asarray(new) / spacing
    shape = tuple(int(n) for n in np.ceil(np.asarray(image.shape) / ratio - 1e-6))
    placement = Placement.centred(shape, np.diag(ratio), image.shape)
    source = sitk.GetImageFromArray(image)
    source.SetSpacing(spacing[::-1])
    origin = [float(v) for v in (placement.offset * spacing)[::-1]]
    result = sitk.Resample(
        source, shape[::-1], sitk.Transform(), method, origin, new[::-1], source.GetDirection(), 0.0, sitk.sitkFloat32
    )
    return sitk.GetArrayFromImage(result), placement


@pytest.mark.parametrize("new", [(1.0, 1.0, 1.0), (2.0, 0.5, 0.9)])
def test_simpleitk_gives_the_same_trilinear_values_up_to_the_faces(new: Any) -> None:
    image = SMOOTH.astype(np.int16)
    expected, placement = in_itk(image, (2.5, 0.7, 0.7), new, sitk.sitkLinear)
    assert np.abs(whole(image, placement, "linear") - expected).max() < 1e-4


def test_simpleitk_gives_the_same_b_spline_between_the_border_voxels() -> None:
    image = SMOOTH.astype(np.int16)
    expected, placement = in_itk(image, (2.5, 0.7, 0.7), (1.0, 1.0, 1.0), sitk.sitkBSpline)
    at = positions(placement)
    inside = ((at >= 0) & (at <= np.array(image.shape).reshape(3, 1, 1, 1) - 1)).all(axis=0)
    assert inside.mean() > 0.8
    assert np.abs(whole(image, placement, "cubic") - expected)[inside].max() < 1e-3


def test_coefficients_are_those_of_scipy() -> None:
    for shape in ((1, 1, 1), (2, 1, 3), (11, 14, 17)):
        image = NOISE[: shape[0], : shape[1], : shape[2]]
        expected = ndimage.spline_filter(image.astype(np.float64), 3, mode="mirror")
        assert np.allclose(coefficients(image), expected, atol=2e-3)
        assert np.allclose(coefficients(image.astype(np.float64)), expected, atol=1e-9)


def test_shrinking_smooths_first_as_scipy_does() -> None:
    ratio = 3.0
    placement = Placement.centred((1, 1, 15), np.diag([1.0, 1.0, ratio]), (1, 1, 45))
    image = RNG.normal(size=(1, 1, 45))
    smooth = ndimage.gaussian_filter1d(image, (ratio - 1) / 2, mode="mirror", truncate=4.0)
    interpolation: Interpolation
    for interpolation in ("linear", "cubic"):
        expected = ndimage.map_coordinates(smooth, positions(placement), order=ORDER[interpolation], mode="mirror")
        assert np.allclose(whole(image, placement, interpolation), expected, atol=1e-9)


def test_anti_aliasing_begins_where_its_gaussian_reaches_a_neighbour() -> None:
    assert [smoothing_radius(ratio) for ratio in (0.3, 1.0, 1.49, 1.5, 2.0, 3.0)] == [0, 0, 0, 1, 2, 4]


def test_the_nearest_voxel_is_not_smoothed() -> None:
    image = np.arange(12.0).reshape(1, 12)
    assert whole(image, Placement((1, 4), np.diag([1.0, 3.0]), np.array([0.0, 1.0])), "nearest").tolist() == [
        [1, 4, 7, 10]
    ]


@pytest.mark.parametrize("interpolation", ORDER)
@pytest.mark.parametrize("outside", [None, 30.0])
def test_a_picture_is_a_volume_of_one_slice_and_colours_are_pictures(interpolation: Any, outside: Any) -> None:
    colour = RNG.uniform(0, 255, (15, 18, 3)).astype(np.float32)
    for matrix in (np.diag([0.7, 1.3]), np.array([[0.9, 0.3], [-0.3, 0.9]])):
        placement = Placement.centred((20, 20), matrix, (15, 18))
        lifted = np.eye(3)
        lifted[1:, 1:] = matrix
        volume = Placement.centred((1, 20, 20), lifted, (1, 15, 18))
        result = whole(colour, placement, interpolation, outside=outside)
        for channel in range(3):
            grey = np.ascontiguousarray(colour[..., channel])
            alone = whole(grey, placement, interpolation, outside=outside)
            assert np.array_equal(result[..., channel], alone)
            assert np.allclose(whole(grey[None], volume, interpolation, outside=outside)[0], alone, atol=1e-3)


@st.composite
def placements(draw: st.DrawFn) -> tuple[Placement, Box]:
    shape = tuple(draw(st.integers(1, 30)) for _ in range(3))
    scale = np.array([draw(st.sampled_from([-1.7, -1.0, -0.4, 0.3, 0.8, 1.0, 2.3])) for _ in range(3)])
    if draw(st.booleans()):
        matrix = ROTATION * np.abs(scale).clip(0.4, 1.0)
    else:
        matrix = np.diag(scale)[:, draw(st.permutations(range(3)))]
    placement = Placement.centred(shape, matrix, SMOOTH.shape)
    shift = np.array([draw(st.floats(-6, 6)) for _ in range(3)])
    start = tuple(draw(st.integers(0, n - 1)) for n in shape)
    stop = tuple(draw(st.integers(a + 1, n)) for a, n in zip(start, shape, strict=True))
    return Placement(shape, matrix, placement.offset + shift), (start, stop)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(placements(), st.sampled_from(sorted(ORDER)), st.sampled_from([None, -50.0]))
def test_a_block_that_holds_what_is_needed_gives_what_the_whole_gives(
    drawn: tuple[Placement, Box], interpolation: Interpolation, outside: float | None
) -> None:
    placement, box = drawn
    low, high = placement.needs(box, SMOOTH.shape, support(placement, interpolation))
    block = SMOOTH[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
    part = place(block, low, placement, box, SMOOTH.shape, interpolation=interpolation, outside=outside)
    expected = whole(SMOOTH, placement, interpolation, outside=outside)
    expected = expected[tuple(slice(a, b) for a, b in zip(*box, strict=True))]
    assert np.abs(part - expected).max() <= 1e-6 * np.abs(SMOOTH).max()


def test_the_number_of_threads_does_not_change_a_value(monkeypatch: pytest.MonkeyPatch) -> None:
    for matrix, interpolation in itertools.product((np.diag([0.4, 1.9, 0.7]), ROTATION), ORDER):
        placement = Placement.centred((21, 17, 33), matrix, SMOOTH.shape)
        monkeypatch.setenv("OMP_NUM_THREADS", "1")
        one = whole(SMOOTH, placement, interpolation)
        monkeypatch.setenv("OMP_NUM_THREADS", "5")
        assert np.array_equal(whole(SMOOTH, placement, interpolation), one)


def test_a_block_that_ends_too_early_is_refused() -> None:
    placement = Placement.centred((20, 20, 20), np.diag([1.0, 2.0, 2.0]), SMOOTH.shape)
    with pytest.raises(ValueError, match="expected a block that holds"):
        place(
            SMOOTH[:10], (0, 0, 0), placement, ((0, 0, 0), (20, 20, 20)), SMOOTH.shape,
            interpolation="linear", outside=None,
        )  # fmt: skip


def test_what_comes_in_is_not_changed() -> None:
    image = NOISE.copy()
    for matrix, interpolation in itertools.product((np.eye(3), np.diag([0.4, 1.9, 0.7]), ROTATION), ORDER):
        whole(image, Placement.centred((9, 9, 9), matrix, image.shape), interpolation)
    assert np.array_equal(image, NOISE)
