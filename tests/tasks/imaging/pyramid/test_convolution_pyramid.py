"""Levels by convolution and largest values: by hand, as scipy has them, with kernels that can be learned."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from scipy import ndimage

from tasks.imaging.pyramid.convolution import Kernel, convolution_pyramid, convolve_and_pool, fixed_kernel
from tasks.imaging.pyramid.formula import Grid, grids

KERNELS: tuple[Kernel, ...] = ("box", "gaussian", "edge")


def nothing(axes: int) -> npt.NDArray[np.float32]:
    """The kernel that changes nothing."""
    kernel = np.zeros((1, 1) + (3,) * axes, dtype=np.float32)
    kernel[(0, 0) + (1,) * axes] = 1
    return kernel


def expected(image: npt.NDArray[Any], kernel: npt.NDArray[Any], halved: tuple[int, ...]) -> npt.NDArray[Any]:
    """The next level of a grey image by scipy's correlation, and the largest of its blocks."""
    response = ndimage.correlate(image.astype(np.float64), kernel.astype(np.float64), mode="nearest")
    ends = [(0, -n % f) for n, f in zip(response.shape, halved, strict=True)]
    response = np.pad(response, ends, constant_values=-np.inf)
    blocks = [side for n, f in zip(response.shape, halved, strict=True) for side in (n // f, f)]
    found: npt.NDArray[Any] = response.reshape(blocks).max(axis=tuple(range(1, 2 * image.ndim, 2)))
    return found


def test_the_largest_of_each_block_is_kept() -> None:
    image = np.array([[1, 2, 3], [4, 5, 6], [9, 8, 7]], dtype=np.uint8)
    levels = convolution_pyramid(image, spacing_mm=(1.0, 1.0), kernels=[nothing(2)], levels=2)
    assert levels[0] is image
    assert [level.tolist() for level in levels[1:]] == [[[5, 6], [9, 7]], [[9]]]


def test_fixed_kernels_weigh_as_they_say() -> None:
    assert np.allclose(fixed_kernel("box", 2), 1 / 9)
    assert np.allclose(16 * fixed_kernel("gaussian", 2)[0, 0], [[1, 2, 1], [2, 4, 2], [1, 2, 1]])
    assert np.allclose(8 * fixed_kernel("edge", 2)[0, 0], [[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]])
    for axes in (2, 3):
        sums = [float(fixed_kernel(kernel, axes).sum()) for kernel in KERNELS]
        assert np.allclose(sums, [1, 1, 0], atol=1e-6)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize(
    ("shape", "spacing"), [((9, 14), (1.0, 1.0)), ((5, 9, 14), (1.0, 1.0, 1.0)), ((5, 9, 14), (5.0, 1.0, 1.0))]
)
def test_levels_are_those_of_scipy(kernel: Kernel, shape: tuple[int, ...], spacing: tuple[float, ...]) -> None:
    image = np.random.default_rng(0).integers(-500, 500, shape).astype(np.int16)
    levels = convolution_pyramid(image, spacing_mm=spacing, kernels=kernel, levels=3)
    sizes = grids(shape, spacing, levels=3)
    assert [level.shape for level in levels] == [grid.shape for grid in sizes]
    for before, after, coarse, fine in zip(levels[:-1], levels[1:], sizes[1:], sizes[:-1], strict=True):
        halved = tuple(1 if a == b else 2 for a, b in zip(coarse.shape, fine.shape, strict=True))
        weights = fixed_kernel(kernel, len(shape))[0, 0]
        assert after.dtype == np.float32
        assert np.allclose(after, expected(before, weights, halved), rtol=1e-5, atol=1e-3)


def test_each_colour_is_worked_on_by_itself() -> None:
    image = np.random.default_rng(1).integers(0, 255, (12, 10, 3)).astype(np.uint8)
    levels = convolution_pyramid(image, spacing_mm=(1.0, 1.0), levels=2)
    for channel in range(3):
        alone = convolution_pyramid(image[..., channel], spacing_mm=(1.0, 1.0), levels=2)
        assert all(np.allclose(a[..., channel], b) for a, b in zip(levels, alone, strict=True))


def test_learned_kernels_may_mix_colours_and_give_more_numbers() -> None:
    image = np.random.default_rng(2).normal(size=(8, 8, 3))
    first, second = np.zeros((4, 3, 1, 1)), np.ones((1, 4, 1, 1))
    first[0, :, 0, 0] = 1
    levels = convolution_pyramid(image, spacing_mm=(1.0, 1.0), kernels=[first, torch.from_numpy(second)], levels=2)
    assert [level.shape for level in levels] == [(8, 8, 3), (4, 4, 4), (2, 2, 1)]
    assert levels[1].dtype == np.float64
    assert levels[2].max() == pytest.approx(image.sum(axis=-1).max())


def test_a_bright_point_is_as_bright_on_the_coarsest_level() -> None:
    image = np.zeros((64, 64), dtype=np.float32)
    image[37, 21] = 5
    coarsest = convolution_pyramid(image, spacing_mm=(1.0, 1.0), kernels=[nothing(2)], levels=6)[-1]
    assert coarsest.tolist() == [[5.0]]


def test_gradients_reach_the_kernel() -> None:
    kernel = torch.zeros(2, 1, 3, 3, requires_grad=True)
    image = torch.rand(1, 1, 6, 7, generator=torch.Generator().manual_seed(0))
    before, after = Grid((6, 7), (1.0, 1.0)), Grid((3, 4), (2.0, 2.0))
    level = convolve_and_pool(image, kernel, before, after)
    assert level.shape == (1, 2, 3, 4)
    level.sum().backward()  # type: ignore[no-untyped-call]
    assert kernel.grad is not None
    assert (kernel.grad > 0).all()


def test_the_image_is_left_as_it_was() -> None:
    image = np.random.default_rng(3).normal(size=(6, 7)).astype(np.float32)
    before = image.copy()
    convolution_pyramid(image, spacing_mm=(1.0, 1.0), levels=2)
    assert np.array_equal(image, before)


def test_kernels_that_do_not_fit_are_refused() -> None:
    image = np.zeros((8, 8))
    with pytest.raises(ValueError, match="1 kernel or 3, one per level; got 2"):
        convolution_pyramid(image, spacing_mm=(1.0, 1.0), kernels=[nothing(2)] * 2, levels=3)
    for kernel in (np.ones((1, 1, 2, 3)), np.ones((1, 2, 3, 3)), nothing(3)):
        with pytest.raises(ValueError, match="odd sides"):
            convolution_pyramid(image, spacing_mm=(1.0, 1.0), kernels=[kernel], levels=1)
