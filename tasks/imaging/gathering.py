"""Values of an image at points that follow no axis: of a turned or sheared grid, or of a warp.

The rules are those of :mod:`tasks.imaging.placing`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from tasks.imaging.lines import TINY
from tasks.imaging.placement import Floats, Interpolation
from tasks.imaging.step import Array, Index, per_channel
from tasks.threads import over_slabs

Points = Callable[[int], Floats]
"""Positions ``(3, p)`` in the old grid of the ``p`` voxels of a new plane."""


def gathered(
    block: Array,
    block_start: Index,
    old_shape: Index,
    points: Points,
    shape: Index,
    *,
    interpolation: Interpolation,
    outside: float | None,
) -> Array:
    """Values at positions that follow no axis; parameters and rules as in :func:`place`.

    ``points(k)`` gives positions of the new plane ``k``; of a picture there is one, and its points have ``z = 0``.
    Where the block ends within the image, what lies beyond is taken from the block's border.
    """
    start, old = lifted(block_start, 0), lifted(old_shape, 1)
    planes = lifted(shape, 1)

    def on_grey(grey: Array) -> Array:
        values = np.ascontiguousarray(grey.reshape(lifted(grey.shape, 1)), dtype=grey.dtype.newbyteorder("="))
        dtype = type_after(values, interpolation)
        if interpolation == "cubic":
            values = coefficients(values)
        out = np.empty(planes, dtype)
        work = partial(_gather_planes, values, start, old, points, out, interpolation, outside)
        over_slabs(work, planes[0])
        return out.reshape(shape)

    return per_channel(on_grey, block, len(old_shape))


def coefficients(volume: Array, *, z: bool = True, y: bool = True, x: bool = True) -> Array:
    """Coefficients of the cubic B-spline through the voxels ``(z, y, x)``, along the axes named; float32 or float64."""
    from tasks.imaging.kernels.resample import filter_columns, filter_planes

    result = np.array(volume, dtype=type_after(volume, "cubic"), order="C")
    if y or x:
        over_slabs(partial(filter_planes, result, y, x), len(result))
    if z:
        rows = result.reshape(len(result), -1)
        over_slabs(partial(filter_columns, rows), rows.shape[1])
    return result


def lifted(three_or_fewer: tuple[int, ...], filler: int) -> tuple[int, int, int]:
    """The three axes of a volume from those of a picture."""
    z, y, x = (filler,) * (3 - len(three_or_fewer)) + tuple(int(n) for n in three_or_fewer)
    return z, y, x


def type_after(values: Array, interpolation: Interpolation) -> np.dtype[Any]:
    """Type of interpolated values: float32, or float64 of float64; with the nearest voxel the image's own."""
    if interpolation == "nearest":
        return values.dtype
    return np.dtype(np.float64 if values.dtype == np.float64 else np.float32)


def fitting(value: float, dtype: np.dtype[Any]) -> float:
    """The value, or the nearest one that an integer type can hold."""
    if dtype.kind not in "iu":
        return value
    limits = np.iinfo(dtype)
    return min(max(round(value), limits.min), limits.max)


def _gather_planes(
    values: Array,
    start: Index,
    old_shape: Index,
    points: Points,
    out: Array,
    interpolation: Interpolation,
    outside: float | None,
    a: int,
    b: int,
) -> None:
    from tasks.imaging.kernels import resample as kernels

    gather = getattr(kernels, f"gather_{interpolation}")
    faces = np.asarray(old_shape)[:, None] - 0.5
    for plane in range(a, b):
        where, flat = points(plane), out[plane].reshape(-1)
        gather(values, start, old_shape, where, flat)
        if outside is not None:
            beyond = ((where < -0.5 - TINY) | (where > faces + TINY)).any(axis=0)
            flat[beyond] = fitting(outside, out.dtype)
