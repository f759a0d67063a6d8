"""Kernels and strides of a network for volumes, planned from the voxels: thick slices are not treated like thin ones.

In a volume of 5 mm slices with pixels of 1 mm the voxel above is five times as far away as the one beside it. A kernel
of 3 × 3 × 3 mixes the two as if they were as near. nnU-Net's rule (Isensee et al. 2021, doi:10.1038/s41592-020-01008-z,
supplementary note 2) has the fine axes pooled first: an axis joins, and is convolved and pooled, once its spacing is
less than twice the finest. Whatever is convolved once stays convolved. An axis is pooled only while at least
``SMALLEST_EDGE`` voxels are left of it; a single axis alone only while half as many again are.

As in the source the deepest level convolves along all axes, so that no network is blind along one. Unlike the source,
an axis of a single voxel is never convolved, and one that is pooled always is: where small fine axes leave a coarse one
to be pooled alone, the source's stride without a kernel would drop every second slice unseen.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Self

from pydantic import Field, model_validator

from tasks.settings import StageSettings

SMALLEST_EDGE = 4
"""Voxels that a pooled axis keeps at least."""
TOO_COARSE = 2.0
"""An axis with this many times the finest spacing is neither convolved nor pooled."""

Axes = tuple[int, ...]


class KernelPlan(StageSettings):
    """One kernel and one stride per level, from the input down; each a number per axis, ``(z, y, x)`` or ``(y, x)``.

    The stride of a level is that of its first convolution; the first level's is 1 along all axes.
    """

    kernels: tuple[Axes, ...] = Field(min_length=1)
    strides: tuple[Axes, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if len(self.kernels) != len(self.strides):
            raise ValueError(f"expected as many strides as kernels; got {len(self.strides)} and {len(self.kernels)}")
        if self.dimensions not in (2, 3) or {len(axes) for axes in (*self.kernels, *self.strides)} != {self.dimensions}:
            raise ValueError("expected 2 or 3 axes, the same for all kernels and strides")
        if any(size < 1 or size % 2 == 0 for axes in self.kernels for size in axes):
            raise ValueError(f"expected kernels of odd sizes; got {self.kernels}")
        if set(self.strides[0]) != {1} or any(step < 1 for axes in self.strides for step in axes):
            raise ValueError(f"expected strides of at least 1, the first level's 1 along all axes; got {self.strides}")
        return self

    @property
    def dimensions(self) -> int:
        """2 or 3."""
        return len(self.kernels[0])

    @property
    def levels(self) -> int:
        """From the input to the deepest."""
        return len(self.kernels)

    @property
    def divisor(self) -> Axes:
        """What the length of each axis has to be a multiple of, so that going down and up again fits."""
        return tuple(math.prod(steps) for steps in zip(*self.strides, strict=True))

    def padded(self, shape: Sequence[int]) -> Axes:
        """The smallest shape that holds ``shape`` and that the network takes."""
        return tuple(-(-length // part) * part for length, part in zip(shape, self.divisor, strict=True))


def plan_kernels(spacing_mm: Sequence[float], shape: Sequence[int], *, most_levels: int = 6) -> KernelPlan:
    """Plan for windows of a shape on a grid.

    Parameters
    ----------
    spacing_mm, shape
        Of the grid and in voxels of the window, along ``(z, y, x)`` or ``(y, x)``.
    most_levels
        Fewer where the window is small.

    Raises
    ------
    ValueError
        When the two have not the same 2 or 3 axes, or hold something else than positive numbers.
    """
    if len(spacing_mm) != len(shape) or len(shape) not in (2, 3):
        raise ValueError(f"expected spacing and shape along the same 2 or 3 axes; got {len(spacing_mm)}, {len(shape)}")
    if not all(0 < mm < math.inf for mm in spacing_mm) or min(shape) < 1:
        raise ValueError(f"expected positive spacing and shape; got {tuple(spacing_mm)} mm, {tuple(shape)} voxels")
    spacing, size, kernel = list(spacing_mm), list(shape), [1] * len(shape)
    kernels: list[Axes] = []
    strides: list[Axes] = [(1,) * len(shape)]
    while len(kernels) < most_levels - 1 and (pooled := _poolable(spacing, size)):
        near = [a in pooled or mm < TOO_COARSE * min(spacing) for a, mm in enumerate(spacing)]
        kernel = [3 if size[a] > 1 and (near[a] or kernel[a] == 3) else 1 for a in range(len(shape))]
        kernels.append(tuple(kernel))
        strides.append(tuple(2 if a in pooled else 1 for a in range(len(shape))))
        for a in pooled:
            spacing[a], size[a] = 2 * spacing[a], -(-size[a] // 2)
    kernels.append(tuple(3 if length > 1 else 1 for length in shape))
    return KernelPlan(kernels=tuple(kernels), strides=tuple(strides))


def _poolable(spacing_mm: Sequence[float], size: Sequence[int]) -> set[int]:
    """Axes that the next level halves; none when the network is deep enough."""
    large = [a for a, length in enumerate(size) if length >= 2 * SMALLEST_EDGE]
    finest = min((spacing_mm[a] for a in large), default=0.0)
    axes = {a for a in large if spacing_mm[a] < TOO_COARSE * finest}
    return set() if len(axes) == 1 and size[min(axes)] < 3 * SMALLEST_EDGE else axes
