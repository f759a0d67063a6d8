"""Values of an image at the voxels of another grid.

Three ways, of which the cheapest that fits is taken:

- *picked*: where new voxels lie on old ones (crop, pad, flip, another order of axes) or the nearest voxel is asked for,
  values are copied, without arithmetic.
- *summed along axes*: where each new axis follows one old axis (resampling, scaling), each new voxel is a weighted sum
  of old ones along each axis in turn.
- *gathered*: all else (rotation, shear, warps) visits the neighbours of each point.

Rules that hold for all:

- Positions are in voxels of the old grid. Outside of the border voxels' centres the image goes on with the border's
  values. With a number for ``outside``, that number stands at all positions beyond ``-0.5 … n - 0.5`` along any axis,
  the faces of the border voxels.
- *Linear* is linear between centres. *Cubic* is the interpolating B-spline of third order, mirrored at the border
  voxels' centres (as scipy's ``mode="mirror"``; doi:10.1109/78.193221). *Nearest* takes the later voxel at a tie.
- Where the voxels of an axis become larger by a ratio above 1, linear and cubic first smooth along it with a Gaussian
  of sigma ``(ratio - 1) / 2`` old voxels against aliasing; its weights beyond 4 sigma are dropped, so that it begins to
  matter at a ratio of 1.5. Gathered voxels are not smoothed: rotations and warps do not shrink.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import numpy.typing as npt

from tasks.imaging.gathering import coefficients, fitting, gathered, lifted, type_after
from tasks.imaging.lines import Line, smoothing_radius
from tasks.imaging.placement import Box, Floats, Interpolation, Placement
from tasks.imaging.step import Array, Index, floating, per_channel
from tasks.threads import over_slabs

REACH = {"nearest": 1, "linear": 1, "cubic": 14}
"""Voxels on either side: the stencil, rounding, and for cubic 12 more, by which its recursive filter has forgotten what
lies beyond: ``(2 - sqrt(3)) ** 12 = 1.4e-7``."""
NATIVE = ("uint8", "int16", "uint16", "float32", "float64")
"""Types that are read as they are; others become float32 first."""


def support(placement: Placement, interpolation: Interpolation, *, antialias: bool = True) -> Index:
    """Voxels of the old grid on either side of a point that its value depends on, along each axis."""
    order = _axis_order(placement.matrix)
    if order is None or interpolation == "nearest" or not antialias:
        return (REACH[interpolation],) * len(placement.shape)
    ratios = np.abs(placement.matrix).max(axis=1)
    return tuple(REACH[interpolation] + smoothing_radius(float(ratio)) for ratio in ratios)


def place(
    block: Array,
    block_start: Index,
    placement: Placement,
    box: Box,
    old_shape: Index,
    *,
    interpolation: Interpolation,
    outside: float | None,
    antialias: bool = True,
) -> Array:
    """Values of an old image at the voxels of a box of a new grid; for the rules see this module.

    Parameters
    ----------
    block
        A part of the old image, ``(y, x)`` or ``(z, y, x)``, perhaps with colour last.
    block_start
        Its first voxel in the old image.
    placement
        From new to old indices.
    box
        First voxel of the new grid that is wanted, and one past the last.
    old_shape
        Of the whole old image along its spatial axes.
    outside
        Value beyond the old image; ``None``: that of the nearest voxel.
    antialias
        Whether linear and cubic smooth where voxels become larger. The IBSI's interpolation does not.

    Returns
    -------
    numpy.ndarray
        Of the box's shape, never a view of the block. The block's type with ``nearest``, else float32, or float64 of
        float64.

    Raises
    ------
    ValueError
        When the block does not hold all that the box depends on (:func:`support`).
    """
    low, high = placement.needs(box, old_shape, support(placement, interpolation, antialias=antialias))
    axes, order = len(old_shape), _axis_order(placement.matrix)
    begin, end = np.subtract(low, block_start), np.subtract(high, block_start)
    if (begin < 0).any() or (end > block.shape[:axes]).any():
        raise ValueError(f"expected a block that holds {low}..{high}; got {block.shape} from {block_start}")
    part = block[tuple(slice(a, b) for a, b in zip(begin, end, strict=True))]
    values = part.astype(part.dtype.newbyteorder("="), copy=False)
    if interpolation != "nearest" and values.dtype not in NATIVE:
        values = floating(values)
    if order is None:
        points = partial(_affine_points, placement, box)
        shape = tuple(b - a for a, b in zip(*box, strict=True))
        return gathered(values, low, old_shape, points, shape, interpolation=interpolation, outside=outside)
    lines = [
        Line.of(placement, axis, old, a, b, low[old], old_shape[old], smooth=antialias)
        for axis, (old, a, b) in enumerate(zip(order, *box, strict=True))
    ]
    return per_channel(lambda grey: _along_axes(grey.transpose(order), lines, interpolation, outside), values, axes)


def _along_axes(grey: Array, lines: list[Line], interpolation: Interpolation, outside: float | None) -> Array:
    inner = tuple(line.inside for line in lines)
    if outside is None or all(part == slice(0, line.at.size) for part, line in zip(inner, lines, strict=True)):
        return _summed(*_picked(grey, lines, interpolation), interpolation)
    dtype = type_after(grey, interpolation)
    out = np.full([line.at.size for line in lines], fitting(outside, dtype), dtype)
    if out[inner].size:
        cut = [line.within(part) for line, part in zip(lines, inner, strict=True)]
        out[inner] = _along_axes(grey, cut, interpolation, None)
    return out


def _picked(grey: Array, lines: list[Line], interpolation: Interpolation) -> tuple[Array, list[Line | None]]:
    """The image with the axes done along which values are copied, and the lines that are left."""
    left: list[Line | None] = []
    for axis, line in enumerate(lines):
        index = line.picks(interpolation)
        left.append(line if index is None else None)
        if index is not None:
            side = _as_slice(index)
            whole = (slice(None),) * axis
            grey = grey.take(index, axis=axis) if side is None else grey[(*whole, side)]
    return grey, left


def _as_slice(index: npt.NDArray[np.intp]) -> slice | None:
    """The same voxels as a slice, where they are evenly spaced."""
    if index.size == 1:
        return slice(int(index[0]), int(index[0]) + 1)
    step = int(index[1] - index[0])
    if step == 0 or (np.diff(index) != step).any():
        return None
    stop = int(index[-1]) + (1 if step > 0 else -1)
    return slice(int(index[0]), stop if stop >= 0 else None, step)


def _summed(grey: Array, lines: list[Line | None], interpolation: Interpolation) -> Array:
    """The image with weighted sums along the axes that have a line; along the others it is as it shall be."""
    if not any(lines):
        return np.array(grey, dtype=type_after(grey, interpolation), order="C")
    from tasks.imaging.kernels.resample import sum_stack, sum_volume

    lines = [*[None] * (3 - len(lines)), *lines]
    values = np.ascontiguousarray(grey.reshape(lifted(grey.shape, 1)))
    dtype = type_after(values, interpolation)
    if interpolation == "cubic":
        z, y, x = (line is not None for line in lines)
        values = coefficients(values, z=z, y=y, x=x)
    taps = [
        (np.arange(n), np.ones((n, 1), dtype)) if line is None else line.taps(interpolation, n, dtype)
        for line, n in zip(lines, values.shape, strict=True)
    ]
    (first_z, by_z), (first_y, by_y), (first_x, by_x) = taps
    out = np.empty((first_z.size, first_y.size, first_x.size), dtype)
    if lines[1] or lines[2]:
        work = partial(sum_volume, values, first_z, by_z, first_y, by_y, first_x, by_x, out)
    else:
        work = partial(sum_stack, values.reshape(len(values), -1), first_z, by_z, out.reshape(len(out), -1))
    over_slabs(work, len(out))
    return out.reshape(out.shape[3 - grey.ndim :])


def _affine_points(placement: Placement, box: Box, plane: int) -> Floats:
    """Positions in the old grid of the voxels of a box's plane, ``(3, p)``; of a picture ``z`` is 0."""
    axes = len(placement.shape)
    *_, rows, columns = (np.arange(a, b, dtype=float) for a, b in zip(*box, strict=True))
    points = np.zeros((3, rows.size * columns.size))
    for old in range(axes):
        along = placement.matrix[old]
        within = along[-2] * rows[:, None] + along[-1] * columns
        points[old - axes] = (
            within + (along[0] * (box[0][0] + plane) if axes == 3 else 0.0) + placement.offset[old]
        ).ravel()
    return points


def _axis_order(matrix: Floats) -> Index | None:
    """The old axis that each new one follows; ``None`` where one follows several."""
    order = np.abs(matrix).argmax(axis=0)
    rest = matrix.copy()
    rest[order, np.arange(len(order))] = 0.0
    if len(set(order.tolist())) < len(order) or np.abs(rest).max() > 1e-12:
        return None
    return tuple(int(axis) for axis in order)
