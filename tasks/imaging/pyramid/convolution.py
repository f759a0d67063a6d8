"""The pyramid of a convolutional network: each level is the one before, convolved, and of each block the largest value.

Unlike a mean, the largest value does not fade: what answers strongly to the kernel is still seen on the coarsest level,
though no longer exactly where. Kernels are fixed ones or learned elsewhere; there is no activation between the levels,
since taking the largest is what makes them more than one large kernel.

As torch has it, the kernel is laid over the image as it is, not turned by 180°. At the border the nearest voxel counts
on. Sizes are those of :mod:`tasks.imaging.pyramid.formula`; but a voxel of a level stands for two of the one before
along each halved axis, and its centre lies between theirs.

References
----------
LeCun et al. 1998, doi:10.1109/5.726791; Riesenhuber & Poggio 1999, doi:10.1038/14819 (the largest instead of the mean)
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

import numpy as np

from tasks.imaging.pyramid.formula import UNTIL, Grid, grids
from tasks.imaging.step import Array, Spacing, floating

if TYPE_CHECKING:
    from torch import Tensor

Kernel = Literal["box", "gaussian", "edge"]
"""3 taps along each axis: the mean; the binomial 1 2 1; a voxel less the mean of its neighbours."""


def convolution_pyramid(
    array: Array,
    *,
    spacing_mm: Spacing,
    kernels: Kernel | Sequence[Array | Tensor] = "gaussian",
    levels: int | None = None,
    until: int = UNTIL,
) -> list[Array]:
    """An image and its coarser levels, finest first.

    Parameters
    ----------
    array
        ``(y, x)`` or ``(z, y, x)``, perhaps with colour last. It is level 0 as it is, uncopied.
    kernels
        A fixed kernel, which every level applies to each colour; or kernels ``(out, in, …)`` with odd sides along the
        spatial axes: one for all levels, or one for each level beside the image.
    spacing_mm, levels, until
        As in :func:`~tasks.imaging.pyramid.formula.grids`.

    Returns
    -------
    list
        Of arrays, float32 (float64 of float64) from level 1 on. What the kernels give comes last, like colour; a grey
        image stays without that axis as long as it is one number per voxel.

    Raises
    ------
    ValueError
        When there are neither one kernel nor one per level, or a kernel does not fit the level that it meets.
    """
    import torch

    axes = len(spacing_mm)
    sizes = grids(array.shape[:axes], spacing_mm, levels=levels, until=until)
    grey = floating(array) if array.ndim > axes else floating(array)[..., None]
    image = torch.tensor(np.moveaxis(grey, -1, 0))
    each_colour = isinstance(kernels, str)
    batch = image[:, None] if each_colour else image[None]
    found = [array]
    for kernel, (before, after) in zip(_per_level(kernels, axes, len(sizes) - 1), pairwise(sizes), strict=True):
        with torch.no_grad():
            batch = convolve_and_pool(batch, torch.as_tensor(kernel).to(image.dtype), before, after)
        level = np.moveaxis((batch[:, 0] if each_colour else batch[0]).numpy(), 0, -1)
        found.append(np.ascontiguousarray(level[..., 0] if array.ndim == axes and level.shape[-1] == 1 else level))
    return found


def convolve_and_pool(images: Tensor, kernel: Tensor, before: Grid, after: Grid) -> Tensor:
    """One level from the one before. Gradients flow to the kernel, so that it can be learned.

    Parameters
    ----------
    images
        ``(image, in, …)`` of the grid ``before``.
    kernel
        ``(out, in, …)``, odd along the spatial axes.
    before, after
        The grids of both levels.

    Returns
    -------
    Tensor
        ``(image, out, …)`` of the grid ``after``.

    Raises
    ------
    ValueError
        When the kernel is even along an axis, or not for images of so many axes or inputs.
    """
    import torch.nn.functional as nn

    sides = kernel.shape[2:]
    if kernel.ndim != images.ndim or kernel.shape[1] != images.shape[1] or any(n % 2 == 0 for n in sides):
        raise ValueError(
            f"expected a kernel (out, {images.shape[1]}, …) of {images.ndim - 2} odd sides; got {tuple(kernel.shape)}"
        )
    border = [n // 2 for n in reversed(sides) for _ in range(2)]
    convolve, largest = (nn.conv2d, nn.max_pool2d) if len(sides) == 2 else (nn.conv3d, nn.max_pool3d)
    halves = [1 if new == old else 2 for old, new in zip(before.shape, after.shape, strict=True)]
    response = convolve(nn.pad(images, border, mode="replicate"), kernel)
    return largest(response, halves, halves, ceil_mode=True)


def fixed_kernel(kernel: Kernel, axes: int) -> Array:
    """A fixed kernel for so many axes, ``(1, 1, 3, 3)`` or ``(1, 1, 3, 3, 3)``, float32."""
    line = np.array([1.0, 2.0, 1.0] if kernel == "gaussian" else [1.0, 1.0, 1.0])
    weights = line / line.sum()
    for _ in range(axes - 1):
        weights = np.multiply.outer(weights, line / line.sum())
    if kernel == "edge":
        weights = np.full_like(weights, -1.0 / (weights.size - 1))
        weights[(1,) * axes] = 1.0
    return np.asarray(weights[None, None], dtype=np.float32)


def _per_level(
    kernels: Kernel | Sequence[Array | Tensor], axes: int, levels: int
) -> list[Array] | list[Array | Tensor]:
    if isinstance(kernels, str):
        return [fixed_kernel(kernels, axes)] * levels
    if len(kernels) not in (1, levels):
        raise ValueError(f"expected 1 kernel or {levels}, one per level; got {len(kernels)}")
    return list(kernels) if len(kernels) == levels else [kernels[0]] * levels
