"""Borders and kernels on rows short enough for pencil and paper, and SciPy as a peer."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from tasks.imaging.filtering.boundary import Boundary, extended
from tasks.imaging.filtering.rotations import rotations
from tasks.imaging.filtering.separable import IDENTITY, centred, convolved

SCIPY: dict[Boundary, str] = {"zero": "constant", "nearest": "nearest", "periodic": "wrap", "mirror": "reflect"}


@pytest.mark.parametrize(
    ("boundary", "expected"),
    [
        ("zero", [0, 0, 0, 0, 1, 2, 3, 0, 0, 0, 0]),
        ("nearest", [1, 1, 1, 1, 1, 2, 3, 3, 3, 3, 3]),
        ("periodic", [3, 1, 2, 3, 1, 2, 3, 1, 2, 3, 1]),
        ("mirror", [3, 3, 2, 1, 1, 2, 3, 3, 2, 1, 1]),
    ],
)
def test_one_two_three_goes_on_as_the_boundary_says_even_beyond_its_own_length(
    boundary: Boundary, expected: list[float]
) -> None:
    assert extended(np.array([1.0, 2.0, 3.0]), [(4, 4)], boundary).tolist() == expected


@pytest.mark.parametrize(
    ("boundary", "expected"),
    [
        # Convolved with (1, 10, 100): 100 times the voxel before, 10 times itself, once the one after.
        ("zero", [12.0, 123.0, 230.0]),
        ("nearest", [112.0, 123.0, 233.0]),
        ("periodic", [312.0, 123.0, 231.0]),
        ("mirror", [112.0, 123.0, 233.0]),
    ],
)
def test_a_kernel_is_convolved_with_one_two_three(boundary: Boundary, expected: list[float]) -> None:
    row = np.array([1.0, 2.0, 3.0]).reshape(1, 1, 3)
    assert convolved(row, [(1.0, 10.0, 100.0)], boundary).ravel().tolist() == expected


def test_the_second_of_two_weights_is_the_voxels_own() -> None:
    assert centred([1, 2]) == (1.0, 2.0, 0.0)
    assert centred([1, 2, 3]) == (1.0, 2.0, 3.0)
    row = np.array([0.0, 0.0, 1.0, 0.0]).reshape(1, 1, 4)
    assert convolved(row, [centred([5, 7])], "zero").ravel().tolist() == [0, 5, 7, 0]


@pytest.mark.parametrize("boundary", SCIPY)
@pytest.mark.parametrize("lengths", [(3, 5, 7), (1, 3, 15), (5, 3)])
def test_separable_convolution_is_that_of_scipy(boundary: Boundary, lengths: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    image = rng.normal(size=(4, 6, 5))
    kernels = [tuple(rng.normal(size=n).tolist()) for n in lengths]
    expected = image
    for axis, kernel in enumerate(kernels, 3 - len(kernels)):
        expected = ndimage.convolve1d(expected, kernel, axis=axis, mode=SCIPY[boundary])
    np.testing.assert_allclose(convolved(image, kernels, boundary), expected, atol=1e-12)


def test_there_are_24_rotations_in_space_and_4_in_the_plane_all_different() -> None:
    a, b, c = (1.0, 2.0, 4.0), (1.0, 3.0, 9.0), (2.0, 3.0, 5.0)
    in_space, in_plane = list(rotations(((a, b, c),))), list(rotations(((a, b),)))
    assert len(in_space) == len(set(in_space)) == 24
    assert ((a, b, c),) in in_space
    assert ((a, b, c[::-1]),) not in in_space  # a mirror image
    assert set(in_plane) == {((a, b),), ((b, a[::-1]),), ((a[::-1], b[::-1]),), ((b[::-1], a),)}


def test_rotated_kernels_are_the_rotated_kernel() -> None:
    def cube(kernels: tuple[tuple[float, ...], ...]) -> np.ndarray:
        z, y, x = (np.array(kernel) for kernel in kernels)
        return z[:, None, None] * y[None, :, None] * x[None, None, :]

    first = ((1.0, 2.0, 4.0), (1.0, 3.0, 9.0), (2.0, 3.0, 5.0))
    found = {cube(one).tobytes() for (one,) in rotations((first,))}
    for axes in ((0, 1), (1, 2), (0, 2)):
        assert np.ascontiguousarray(np.rot90(cube(first), axes=axes)).tobytes() in found


def test_filters_one_after_the_other_turn_alike() -> None:
    one, two = ((1.0, 2.0, 3.0), IDENTITY), ((4.0, 5.0, 6.0), IDENTITY)
    for first, second in rotations((one, two)):
        assert [k == IDENTITY for k in first] == [k == IDENTITY for k in second]
        assert ((1.0, 2.0, 3.0) in first) == ((4.0, 5.0, 6.0) in second)
