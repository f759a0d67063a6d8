"""Separable convolution: a row of weights along each axis, all axes in one pass over the image.

A slice of the result is made in three moves while it lies in the cache: slices are added up along z into a plane of
floats, rows of that plane along y into a row, and that row along x into the result. No copy of the image is made, and
the sums are always taken in the same order: where the work is cut does not matter. The border is mirrored
(``d c b a | a b c d``).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from numba import njit

from tasks.imaging.kernels.volume import as_volume
from tasks.imaging.step import Array
from tasks.threads import over_slabs

UNTOUCHED = (1.0,)
"""Weights of an axis along which nothing is done."""


def convolve(array: Array, weights: Sequence[Sequence[float]], slices: tuple[int, int] | None = None) -> Array:
    """Weighted sums of neighbours.

    Parameters
    ----------
    array
        ``(y, x)`` or ``(z, y, x)``, of integers or floats.
    weights
        Along each axis, of odd length; the middle one is the voxel's own. As in a correlation, the first belongs to the
        neighbour before the voxel.
    slices
        Only these of the result, from and up to an index along the first axis, but of the whole image; ``None``: all.

    Returns
    -------
    numpy.ndarray
        float32, or float64 of float64.
    """
    dtype = np.float64 if array.dtype == np.float64 else np.float32
    volume = as_volume(array)
    every = (*(UNTOUCHED,) * (3 - array.ndim), *weights)
    along_z, along_y, along_x = (np.asarray(row, dtype=dtype) for row in every)
    begin, end = slices or (0, len(volume))
    out = np.empty((end - begin, *volume.shape[1:]), dtype=dtype)
    over_slabs(partial(_convolve, volume, along_z, along_y, along_x, out, begin), len(out))
    return out.reshape(out.shape[3 - array.ndim :])


@njit(cache=True, nogil=True)
def _convolve(
    image: Array, along_z: Array, along_y: Array, along_x: Array, out: Array, begin: int, start: int, stop: int
) -> None:
    """Fill ``out[start:stop]``, whose slice 0 is the image's slice ``begin``."""
    depth, height, width = image.shape
    slices = image.reshape(depth, height * width)
    plane = np.empty((height, width), dtype=out.dtype)
    reach = len(along_x) // 2
    row = np.empty(width + 2 * reach, dtype=out.dtype)
    for z in range(start, stop):
        for y in range(height):
            _sum_rows(slices, along_z, begin + z, y * width, plane[y])
        for y in range(height):
            _sum_rows(plane, along_y, y, 0, row[reach : reach + width])
            _mirror(row, reach)
            _sum_shifts(row, along_x, out[z, y])


@njit(cache=True, nogil=True)
def _sum_rows(rows: Array, weights: Array, at: int, first: int, total: Array) -> None:
    """Sum of the rows around one, from place ``first`` on, two at a time: the nearest first."""
    middle, count = len(weights) // 2, len(rows)
    _weigh(rows[at, first:], weights[middle], total)
    for away in range(1, middle + 1):
        before, after = rows[mirrored(at - away, count), first:], rows[mirrored(at + away, count), first:]
        _add_two(before, weights[middle - away], after, weights[middle + away], total)


@njit(cache=True, nogil=True)
def _sum_shifts(row: Array, weights: Array, total: Array) -> None:
    """Sum of a row's places around each; the row is longer than the result by the weights' reach at both ends."""
    middle = len(weights) // 2
    _weigh(row[middle:], weights[middle], total)
    for away in range(1, middle + 1):
        _add_two(row[middle - away :], weights[middle - away], row[middle + away :], weights[middle + away], total)


@njit(cache=True, nogil=True)
def _weigh(row: Array, weight: float, total: Array) -> None:
    for x in range(len(total)):
        total[x] = weight * row[x]


@njit(cache=True, nogil=True)
def _add_two(one: Array, weight: float, two: Array, other_weight: float, total: Array) -> None:
    for x in range(len(total)):
        total[x] += weight * one[x] + other_weight * two[x]


@njit(cache=True, nogil=True)
def _mirror(row: Array, reach: int) -> None:
    """Fill the ends of a row from what lies between them."""
    width = len(row) - 2 * reach
    for x in range(reach):
        row[reach - 1 - x] = row[reach + mirrored(-1 - x, width)]
        row[reach + width + x] = row[reach + mirrored(width + x, width)]


@njit(cache=True, nogil=True)
def mirrored(index: int, length: int) -> int:
    """The place within ``0 … length`` that stands for one outside, however far."""
    index %= 2 * length
    return min(index, 2 * length - 1 - index)
