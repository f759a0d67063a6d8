"""The Gaussian pyramid: an image smoothed and halved, again and again.

Each level is the one before, weighted with five taps along each halved axis and taken at every other voxel: Burt and
Adelson's REDUCE. Structures of a lesion's size are seen at some level within a few voxels, whatever the spacing.

References
----------
Burt & Adelson 1983, doi:10.1109/TCOM.1983.1095851. We depart from it in size, ``⌈n/2⌉`` for any ``n`` instead of
``2^k + 1`` only, in anisotropic volumes (see :mod:`tasks.imaging.pyramid.formula`), and mirror at the border where it
extrapolates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import prod
from typing import Protocol

import numpy as np

from tasks.imaging.pyramid.formula import UNTIL, grids
from tasks.imaging.step import Array, Index, Spacing, floating
from tasks.threads import over_slabs

CENTRE = 0.4
"""Burt and Adelson's ``a``: with 0.4 the levels' weights are nearest to Gaussians."""
REACH = 2
"""Voxels to either side that a voxel of the next level depends on."""


class Sliced(Protocol):
    """What gives slices when indexed: an array in memory, or one of Zarr on disk."""

    @property
    def shape(self) -> tuple[int, ...]:
        """As of an array."""

    def __getitem__(self, key: slice, /) -> object:
        """Slices along the first axis."""


def gaussian_pyramid(
    array: Array,
    *,
    spacing_mm: Spacing,
    levels: int | None = None,
    until: int = UNTIL,
    threads: int | None = None,
) -> list[Array]:
    """An image and its coarser levels, finest first.

    Parameters
    ----------
    array
        ``(y, x)`` or ``(z, y, x)``, perhaps with colour last. It is level 0 as it is, uncopied.
    spacing_mm, levels, until
        As in :func:`~tasks.imaging.pyramid.formula.grids`, which also gives the spacing of each level. All levels have
        the image's origin.

    Returns
    -------
    list
        Of arrays, float32 (float64 of float64) from level 1 on.
    """
    found = [array]
    for grid in grids(array.shape[: len(spacing_mm)], spacing_mm, levels=levels, until=until)[1:]:
        found.append(reduce(found[-1], grid.shape, threads=threads))
    return found


def reduce(array: Array, shape: Index, *, threads: int | None = None) -> Array:
    """The next level, of this shape: each axis that is shorter in it is halved. Colour comes along.

    Raises
    ------
    ValueError
        When an axis is neither kept nor halved.
    """
    from tasks.imaging.kernels.pyramid import reduce_lines

    for axis in axes_between(array.shape, shape):
        array = along(reduce_lines, array, axis, shape[axis], threads)
    return floating(array)


def reduced_slabs(
    source: Sliced, shape: Index, *, depth: int, threads: int | None = None
) -> Iterator[tuple[slice, Array]]:
    """The next level of an image that does not fit into memory, ``depth`` slices at a time, as :func:`reduce` gives it.

    Parameters
    ----------
    source
        ``(z, y, x)``; about ``2 * depth`` slices of it are held at a time.
    shape
        Of the next level.

    Yields
    ------
    tuple
        Which slices of the level these are, and they.
    """
    step = 1 if shape[0] == source.shape[0] else 2
    for start in range(0, shape[0], depth):
        stop = min(start + depth, shape[0])
        first = max(0, step * start - REACH * (step - 1))
        part = np.asarray(source[first : step * (stop - 1) + 1 + REACH * (step - 1)])
        level = reduce(part, (-(-part.shape[0] // step), *shape[1:]), threads=threads)
        begin = start - first // step
        yield slice(start, stop), level[begin : begin + stop - start]


def axes_between(fine: Index, coarse: Index) -> list[int]:
    """Axes that are halved from one shape to the other; ``ValueError`` when one is neither halved nor kept."""
    sides = list(zip(fine, coarse, strict=False))
    if len(coarse) > len(fine) or any(new not in (old, -(-old // 2)) for old, new in sides):
        raise ValueError(f"{coarse} is not the next level of {fine}: each axis is kept or halved")
    return [axis for axis, (old, new) in enumerate(sides) if old != new]


def along(kernel: Callable[..., None], array: Array, axis: int, count: int, threads: int | None) -> Array:
    """Run a kernel of five taps along one axis, which has ``count`` voxels afterwards."""
    dtype = np.dtype(np.float64 if array.dtype == np.float64 else np.float32)
    before, after = array.shape[:axis], array.shape[axis + 1 :]
    weights = np.array([0.25 - CENTRE / 2, 0.25, CENTRE, 0.25, 0.25 - CENTRE / 2], dtype)
    source = np.ascontiguousarray(readable(array)).reshape(prod(before), -1, prod(after))
    target = np.empty((prod(before), count, prod(after)), dtype)
    over_slabs(lambda start, stop: kernel(source, target, weights, start, stop), prod(before) * count, threads)
    return target.reshape(*before, count, *after)


def readable(array: Array) -> Array:
    """The array in a type that numba reads: bytes in this machine's order, no halves."""
    return array if array.dtype.isnative and array.dtype != np.float16 else floating(array)
