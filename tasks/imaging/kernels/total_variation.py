"""Total variation of an image brought down by Chambolle's dual iteration (doi:10.1023/B:JMIV.0000011325.36760.1e)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from numba import njit

from tasks.imaging.kernels.volume import as_volume
from tasks.imaging.step import Array
from tasks.threads import over_slabs


def smallest_variation(image: Array, weight: float, ease: Sequence[float], iterations: int) -> Array:
    """The image that minimises ``TV(u) + |u - image|² / (2 weight)``, nearly: after a fixed number of iterations.

    Parameters
    ----------
    image
        float, ``(y, x)`` or ``(z, y, x)``.
    ease
        What differences along each axis are multiplied with; 0: they do not count.
    iterations
        Of the dual field, which is three times the image.
    """
    source = as_volume(image)
    number = source.dtype.type
    sizes = tuple(number(e) for e in (*(0.0,) * (3 - len(ease)), *ease))
    rate = number(1 / (2 * max(sum(e**2 for e in ease), 1e-6)))
    field, now = np.zeros((3, *source.shape), dtype=source.dtype), source.copy()
    for _ in range(iterations):
        over_slabs(partial(_turn_field, now, field, sizes, rate, number(rate / weight)), len(source))
        over_slabs(partial(_follow_field, source, field, sizes, now), len(source))
    return now.reshape(image.shape)


@njit(cache=True, nogil=True)
def _turn_field(
    image: Array, field: Array, ease: tuple[float, float, float], rate: float, share: float, start: int, stop: int
) -> None:
    """Move the field against the image's gradient, and shorten it where that is long."""
    depth, height, width = image.shape
    slopes = np.zeros((3, width), dtype=image.dtype)
    length = np.empty(width, dtype=image.dtype)
    for z in range(start, stop):
        for y in range(height):
            here = image[z, y]
            _slope(here, image[min(z + 1, depth - 1), y], ease[0], slopes[0])
            _slope(here, image[z, min(y + 1, height - 1)], ease[1], slopes[1])
            _slope(here[:-1], here[1:], ease[2], slopes[2, : width - 1])
            _one_plus_length(slopes, share, length)
            for axis in range(3):
                _divided(field[axis, z, y], slopes[axis], rate, length)


@njit(cache=True, nogil=True)
def _follow_field(
    source: Array, field: Array, ease: tuple[float, float, float], out: Array, start: int, stop: int
) -> None:
    """``out = source + divergence of the field``."""
    for z in range(start, stop):
        for y in range(source.shape[1]):
            row = out[z, y]
            row[:] = source[z, y]
            for axis in range(3):
                _take(row, field[axis, z, y], -ease[axis])
            if z > 0:
                _take(row, field[0, z - 1, y], ease[0])
            if y > 0:
                _take(row, field[1, z, y - 1], ease[1])
            _take(row[1:], field[2, z, y], ease[2])


@njit(cache=True, nogil=True)
def _slope(here: Array, there: Array, ease: float, out: Array) -> None:
    for x in range(len(out)):
        out[x] = (there[x] - here[x]) * ease


@njit(cache=True, nogil=True)
def _one_plus_length(slopes: Array, share: float, out: Array) -> None:
    one = out.dtype.type(1)
    for x in range(len(out)):
        out[x] = one + share * np.sqrt(slopes[0, x] ** 2 + slopes[1, x] ** 2 + slopes[2, x] ** 2)


@njit(cache=True, nogil=True)
def _divided(field: Array, slope: Array, rate: float, length: Array) -> None:
    for x in range(len(field)):
        field[x] = (field[x] - rate * slope[x]) / length[x]


@njit(cache=True, nogil=True)
def _take(row: Array, values: Array, factor: float) -> None:
    for x in range(len(row)):
        row[x] += factor * values[x]
