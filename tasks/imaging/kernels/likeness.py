"""Means of neighbours that count the more, the more they are like the voxel: bilateral, and non-local by patches.

What is alike is judged by a *guide*, which is the image itself unless it is in colour. Around both a margin is put, as
far as is looked: the border is mirrored. Whole rows are done at a time, always in the same order.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from tasks.imaging.kernels.decay import decay
from tasks.imaging.kernels.volume import as_volume
from tasks.imaging.step import Array, Index
from tasks.threads import over_slabs


def bilateral_means(image: Array, guide: Array, near: Array, sigma: float) -> Array:
    """Means weighted by distance and by difference of intensity.

    Parameters
    ----------
    image, guide
        float, ``(y, x)`` or ``(z, y, x)``, of one shape and type.
    near
        Weight of each neighbour by its distance, ``(2 rz + 1, 2 ry + 1, 2 rx + 1)``; those of weight 0 are passed over.
    sigma
        Standard deviation of the Gaussian of intensity differences.
    """
    values, likeness = _with_margin(image, guide, tuple(n // 2 for n in near.shape))
    out = np.empty_like(as_volume(image))
    weights, scale = near.astype(out.dtype), out.dtype.type(0.5 / sigma**2)
    over_slabs(lambda start, stop: _bilateral(values, likeness, weights, scale, out, start, stop), len(out))
    return out.reshape(image.shape)


def patch_means(image: Array, guide: Array, search: Index, patch: Index, noise: float, width: float) -> Array:
    """Means weighted by the likeness of patches.

    Parameters
    ----------
    image, guide
        float, ``(y, x)`` or ``(z, y, x)``, of one shape and type.
    search, patch
        How far is looked, and half a patch, in voxels along ``(z, y, x)``.
    noise
        Standard deviation of the noise: of two patches alike but for noise the mean squared difference is twice its
        square, which is taken off.
    width
        A patch of so much mean difference beyond that has the weight ``exp(-1)``.
    """
    values, likeness = _with_margin(image, guide, tuple(a + b for a, b in zip(search, patch, strict=True)))
    out = np.empty_like(as_volume(image))
    size, number = np.prod([2 * n + 1 for n in patch]), out.dtype.type
    share, floor = number(1 / (size * width**2)), number(2 * (noise / width) ** 2)
    over_slabs(lambda start, stop: _patches(values, likeness, search, patch, share, floor, out, start, stop), len(out))
    return out.reshape(image.shape)


def _with_margin(image: Array, guide: Array, reach: Index) -> tuple[Array, Array]:
    """Both with their mirror image around them; once where they are one."""
    sides = [(n, n) for n in reach]
    values = np.pad(as_volume(image), sides, mode="symmetric")
    return values, values if guide is image else np.pad(as_volume(guide), sides, mode="symmetric")


@njit(cache=True, nogil=True)
def _bilateral(image: Array, guide: Array, near: Array, scale: float, out: Array, start: int, stop: int) -> None:
    reach_z, reach_y, reach_x = near.shape[0] // 2, near.shape[1] // 2, near.shape[2] // 2
    width = out.shape[2]
    weight = np.empty(width, dtype=out.dtype)
    total = np.empty(width, dtype=out.dtype)
    for z in range(start, stop):
        for y in range(out.shape[1]):
            here = guide[z + reach_z, y + reach_y, reach_x:]
            row = out[z, y]
            row[:] = 0
            total[:] = 0
            for dz in range(near.shape[0]):
                for dy in range(near.shape[1]):
                    for dx in range(near.shape[2]):
                        if near[dz, dy, dx] > 0:
                            _difference(here, guide[z + dz, y + dy, dx:], scale, weight)
                            _add(weight, near[dz, dy, dx], image[z + dz, y + dy, dx:], row, total)
            for x in range(width):
                row[x] /= total[x]


@njit(cache=True, nogil=True)
def _patches(
    image: Array,
    guide: Array,
    search: Index,
    patch: Index,
    share: float,
    floor: float,
    out: Array,
    start: int,
    stop: int,
) -> None:
    sz, sy, sx = search
    pz, py, px = patch
    width = out.shape[2]
    one = out.dtype.type(1)
    columns = np.empty(width + 2 * px, dtype=out.dtype)
    weight = np.empty(width, dtype=out.dtype)
    total = np.empty(width, dtype=out.dtype)
    for z in range(start, stop):
        for y in range(out.shape[1]):
            row = out[z, y]
            row[:] = 0
            total[:] = 0
            for oz in range(2 * sz + 1):
                for oy in range(2 * sy + 1):
                    for ox in range(2 * sx + 1):
                        columns[:] = 0
                        for dz in range(2 * pz + 1):
                            for dy in range(2 * py + 1):
                                here = guide[z + sz + dz, y + sy + dy, sx:]
                                _add_squares(here, guide[z + oz + dz, y + oy + dy, ox:], columns)
                        _distance(columns, px, share, floor, weight)
                        _add(weight, one, image[z + oz + pz, y + oy + py, ox + px :], row, total)
            for x in range(width):
                row[x] /= total[x]


@njit(cache=True, nogil=True)
def _difference(here: Array, there: Array, scale: float, out: Array) -> None:
    for x in range(len(out)):
        d = here[x] - there[x]
        out[x] = scale * d * d


@njit(cache=True, nogil=True)
def _add_squares(here: Array, there: Array, out: Array) -> None:
    for x in range(len(out)):
        d = here[x] - there[x]
        out[x] += d * d


@njit(cache=True, nogil=True)
def _distance(columns: Array, reach: int, share: float, floor: float, out: Array) -> None:
    """Squares summed along x too, scaled, and without what noise alone would give."""
    out[:] = -floor
    for shift in range(2 * reach + 1):
        for x in range(len(out)):
            out[x] += share * columns[x + shift]
    for x in range(len(out)):
        out[x] = max(out[x], out.dtype.type(0))


@njit(cache=True, nogil=True)
def _add(exponents: Array, factor: float, values: Array, row: Array, total: Array) -> None:
    number = row.dtype.type
    for x in range(len(row)):
        weight = factor * decay(exponents[x], number)
        row[x] += weight * values[x]
        total[x] += weight
