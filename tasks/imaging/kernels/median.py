"""The median of 3×3×3 and of 3×3 voxels, by comparing whole rows: no branch, so that many voxels are done at a time.

The 9 voxels above, below, before and behind each place of a row are sorted once by a network of minima and maxima
(Floyd's with 25 comparators, Knuth, The Art of Computer Programming 3, 5.3.4), and used for the three places beside
each other. Of the 27 voxels of three sorted columns 14 cannot be the median, as too many lie on one side of them; the
median of the other 13 is that of all. The 3×3 voxels of a plane are done alike (Paeth, Graphics Gems, 1990, p. 171).

At the border the nearest voxel stands for those outside, which is also its mirror image, and what SimpleITK does.

The median of any other box is found bit by bit, from the highest: a bit is set where no more than half of the
neighbours are smaller than the number that it makes. For floating point these are the bits of its pattern, turned so
that they sort as the numbers do.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from tasks.imaging.kernels.volume import as_volume
from tasks.imaging.step import Array, Index
from tasks.threads import over_slabs

LANE = 256
"""Places of a row done together. It is known when compiling, so that the compiler sees that buffers do not overlap."""


def median_of_27(array: Array) -> Array:
    """The median of each voxel's 3×3×3 neighbourhood in ``(z, y, x)``; type and values are the image's own."""
    volume = as_volume(array)
    out = np.empty_like(volume)
    over_slabs(lambda start, stop: _cubes(volume, out, start, stop), len(volume))
    return out.reshape(array.shape)


def median_of_9(array: Array) -> Array:
    """The median of each voxel's 3×3 neighbourhood in a picture or in the slices of a volume."""
    volume = as_volume(array)
    out = np.empty_like(volume)
    over_slabs(lambda start, stop: _squares(volume, out, start, stop), len(volume))
    return out.reshape(array.shape)


def median_of_box(array: Array, sides: Index) -> Array:
    """The median of a box around each voxel, of odd ``sides`` along ``(z, y, x)``; the border is mirrored."""
    keys = np.pad(_turned(as_volume(array)), [(n // 2, n // 2) for n in sides], mode="symmetric")
    low, bits = _range(keys)
    out = np.empty((1,) * (3 - array.ndim) + array.shape, dtype=keys.dtype)
    over_slabs(lambda start, stop: _boxes(keys, sides, low, bits, out, start, stop), len(out))
    return _turned(out, array.dtype).reshape(array.shape)


def _turned(array: Array, back: np.dtype[Any] | None = None) -> Array:
    """Integers in the order of floating-point numbers, and ``back`` to these; integers as they are."""
    dtype = back or array.dtype
    if dtype.kind != "f":
        return array
    pattern = np.ascontiguousarray(array).view(f"i{dtype.itemsize}")
    keys = np.where(pattern < 0, pattern ^ np.iinfo(pattern.dtype).max, pattern)
    return keys.view(dtype) if back else keys


def _range(keys: Array) -> tuple[Any, int]:
    """The lowest number to look at, and how many bits lead from there to the highest; all within the type."""
    low, high, last = int(keys.min()), int(keys.max()), int(np.iinfo(keys.dtype).max)
    bits = (high - low).bit_length()
    return keys.dtype.type(min(low, last + 1 - (1 << bits))), bits


@njit(cache=True, nogil=True)
def _cubes(image: Array, out: Array, start: int, stop: int) -> None:
    depth, height, width = image.shape
    columns = np.empty(9 * LANE, dtype=image.dtype)  # three rows of y, each with the three slices in order
    ordered = np.empty(9 * LANE, dtype=image.dtype)
    result = np.empty(LANE, dtype=image.dtype)
    for z in range(start, stop):
        before, here, after = image[max(z - 1, 0)], image[z], image[min(z + 1, depth - 1)]
        for first in range(0, width, LANE - 2):
            count = min(LANE - 2, width - first)
            for y in range(-1, height + 1):
                row, slot = min(max(y, 0), height - 1), (y + 1) % 3 * 3 * LANE
                _load(before[row], first, columns[slot:])
                _load(here[row], first, columns[slot + LANE :])
                _load(after[row], first, columns[slot + 2 * LANE :])
                _sort_three(columns[slot:])
                if y > 0:
                    _sort_nine(columns, ordered)
                    _middle_of_27(ordered, result)
                    out[z, y - 1, first : first + count] = result[:count]


@njit(cache=True, nogil=True)
def _squares(image: Array, out: Array, start: int, stop: int) -> None:
    _, height, width = image.shape
    columns = np.empty(3 * LANE, dtype=image.dtype)
    result = np.empty(LANE, dtype=image.dtype)
    for z in range(start, stop):
        for first in range(0, width, LANE - 2):
            count = min(LANE - 2, width - first)
            for y in range(height):
                _load(image[z, max(y - 1, 0)], first, columns)
                _load(image[z, y], first, columns[LANE:])
                _load(image[z, min(y + 1, height - 1)], first, columns[2 * LANE :])
                _sort_three(columns)
                _middle_of_9(columns, result)
                out[z, y, first : first + count] = result[:count]


@njit(cache=True, nogil=True)
def _load(row: Array, first: int, lane: Array) -> None:
    """The places of a row from one before ``first`` on; beyond its ends the last one, as often as need be."""
    width = len(row)
    lane[0] = row[max(first - 1, 0)]
    count = min(LANE - 1, width - first)
    lane[1 : 1 + count] = row[first : first + count]
    for x in range(1 + count, LANE):
        lane[x] = row[width - 1]


@njit(cache=True, nogil=True)
def _ordered(a: float, b: float, c: float) -> tuple[float, float, float]:
    low, high = min(a, b), max(a, b)
    return min(low, c), max(low, min(high, c)), max(high, c)


@njit(cache=True, nogil=True)
def _sort_three(lanes: Array) -> None:
    for x in range(LANE):
        low, middle, high = _ordered(lanes[x], lanes[LANE + x], lanes[2 * LANE + x])
        lanes[x], lanes[LANE + x], lanes[2 * LANE + x] = low, middle, high


@njit(cache=True, nogil=True)
def _sort_nine(lanes: Array, out: Array) -> None:
    """The 9 lanes in order, from three times three that are."""
    for x in range(LANE):
        v0, v3, v6 = _ordered(lanes[x], lanes[3 * LANE + x], lanes[6 * LANE + x])
        v1, v4, v7 = _ordered(lanes[LANE + x], lanes[4 * LANE + x], lanes[7 * LANE + x])
        v2, v5, v8 = _ordered(lanes[2 * LANE + x], lanes[5 * LANE + x], lanes[8 * LANE + x])
        v1, v3 = min(v1, v3), max(v1, v3)
        v5, v7 = min(v5, v7), max(v5, v7)
        v2, v6 = min(v2, v6), max(v2, v6)
        v4, v6 = min(v4, v6), max(v4, v6)
        v2, v4 = min(v2, v4), max(v2, v4)
        v2, v3 = min(v2, v3), max(v2, v3)
        v5, v6 = min(v5, v6), max(v5, v6)
        out[x], out[LANE + x], out[2 * LANE + x] = v0, v1, v2
        out[3 * LANE + x], out[4 * LANE + x], out[5 * LANE + x] = v3, v4, v5
        out[6 * LANE + x], out[7 * LANE + x], out[8 * LANE + x] = v6, v7, v8


@njit(cache=True, nogil=True)
def _middle_of_27(lanes: Array, out: Array) -> None:
    """The median of three columns of 9 beside each other, each in order.

    Of each rank the three columns' values are ordered. Among the smallest those of rank 0 to 4 have 14 above them,
    among the largest those of rank 4 to 8 have 14 below, among the middle ones ranks 0, 1 and 7, 8 are out likewise.
    Of those left, the smallest (``a``) and the largest (``c``) are merged (Batcher), and the 7th of the 13 is picked.
    """
    for x in range(LANE - 2):
        c0 = max(max(lanes[x], lanes[x + 1]), lanes[x + 2])
        c1 = max(max(lanes[LANE + x], lanes[LANE + x + 1]), lanes[LANE + x + 2])
        _, b0, c2 = _ordered(lanes[2 * LANE + x], lanes[2 * LANE + x + 1], lanes[2 * LANE + x + 2])
        _, b1, c3 = _ordered(lanes[3 * LANE + x], lanes[3 * LANE + x + 1], lanes[3 * LANE + x + 2])
        _, b2, _ = _ordered(lanes[4 * LANE + x], lanes[4 * LANE + x + 1], lanes[4 * LANE + x + 2])
        a0, b3, _ = _ordered(lanes[5 * LANE + x], lanes[5 * LANE + x + 1], lanes[5 * LANE + x + 2])
        a1, b4, _ = _ordered(lanes[6 * LANE + x], lanes[6 * LANE + x + 1], lanes[6 * LANE + x + 2])
        a2 = min(min(lanes[7 * LANE + x], lanes[7 * LANE + x + 1]), lanes[7 * LANE + x + 2])
        a3 = min(min(lanes[8 * LANE + x], lanes[8 * LANE + x + 1]), lanes[8 * LANE + x + 2])
        even, even_end = max(a0, c0), max(a2, c2)
        even, next_even = min(even, min(a2, c2)), max(even, min(a2, c2))
        odd, odd_end = max(a1, c1), min(a3, c3)
        odd, next_odd = min(odd, odd_end), max(odd, odd_end)
        first_odd = min(a1, c1)
        d1, d2 = min(first_odd, even), max(first_odd, even)
        d3, d4 = min(odd, next_even), max(odd, next_even)
        d5, d6 = min(next_odd, even_end), max(next_odd, even_end)
        out[x] = min(
            min(min(d6, max(d5, b0)), min(max(d4, b1), max(d3, b2))),
            min(max(d2, b3), max(d1, b4)),
        )


@njit(cache=True, nogil=True)
def _middle_of_9(lanes: Array, out: Array) -> None:
    """The median of three columns of 3 beside each other, each in order: of the largest low, middle, smallest high."""
    for x in range(LANE - 2):
        low = max(max(lanes[x], lanes[x + 1]), lanes[x + 2])
        _, middle, _ = _ordered(lanes[LANE + x], lanes[LANE + x + 1], lanes[LANE + x + 2])
        high = min(min(lanes[2 * LANE + x], lanes[2 * LANE + x + 1]), lanes[2 * LANE + x + 2])
        out[x] = _ordered(low, middle, high)[1]


@njit(cache=True, nogil=True)
def _boxes(keys: Array, sides: Index, low: float, bits: int, out: Array, start: int, stop: int) -> None:
    """Fill ``out[start:stop]``; ``keys`` is larger than it by the box's reach at both ends."""
    number = out.dtype.type
    half = sides[0] * sides[1] * sides[2] // 2
    tried = np.empty(out.shape[2], dtype=out.dtype)
    smaller = np.empty(out.shape[2], dtype=np.int16)
    for z in range(start, stop):
        for y in range(out.shape[1]):
            row = out[z, y]
            row[:] = low
            for bit in range(bits - 1, -1, -1):
                step = number(1 << bit)
                for x in range(len(row)):
                    tried[x] = row[x] + step
                    smaller[x] = 0
                for dz in range(sides[0]):
                    for dy in range(sides[1]):
                        for dx in range(sides[2]):
                            _count_smaller(keys[z + dz, y + dy, dx:], tried, smaller)
                for x in range(len(row)):
                    if smaller[x] <= half:
                        row[x] = tried[x]


@njit(cache=True, nogil=True)
def _count_smaller(row: Array, tried: Array, smaller: Array) -> None:
    for x in range(len(tried)):
        smaller[x] += row[x] < tried[x]
