"""Interpolation: sums of weighted voxels along axes, values at scattered points, and the B-spline's coefficients.

Volumes are ``(z, y, x)`` and lie in memory in this order; pictures are volumes of one slice. Each kernel works on a
range of planes, rows or columns, so that threads may share the work.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

POLE = np.sqrt(3.0) - 2.0
"""Of the cubic B-spline's recursive filter (Unser, Aldroubi and Eden 1993, doi:10.1109/78.193221)."""
SETTLED = 28
"""Voxels after which the filter has forgotten where it began, even in float64: ``|POLE| ** 28 = 1e-16``."""
TILE = 512
"""Columns that are worked on together, so that a tile's rows stay in the fast cache."""


@njit(cache=True, nogil=True)
def sum_volume(
    block: Any,
    first_z: Any,
    weights_z: Any,
    first_y: Any,
    weights_y: Any,
    first_x: Any,
    weights_x: Any,
    out: Any,
    a: int,
    b: int,
) -> None:
    """``out[k, j, i]`` of planes a … b: weighted sums of the voxels from ``first_z[k], first_y[j], first_x[i]`` on.

    The weights of each sum make 1. A plane of the block is summed along y and x once, and kept while planes need it.
    """
    taps = weights_z.shape[1]
    kept = np.empty((taps, out.shape[1], out.shape[2]), out.dtype)
    kept_rows, out_rows = kept.reshape(taps, -1), out.reshape(out.shape[0], -1)
    plane_of = np.full(taps, -1)
    turned = np.empty(taps, weights_z.dtype)
    for k in range(a, b):
        if taps == 1:
            _sum_plane(block[first_z[k]], first_y, weights_y, first_x, weights_x, out[k])
            continue
        for t in range(taps):
            plane = first_z[k] + t
            slot = plane % taps
            turned[slot] = weights_z[k, t]
            if plane_of[slot] != plane:
                _sum_plane(block[plane], first_y, weights_y, first_x, weights_x, kept[slot])
                plane_of[slot] = plane
        _sum_rows(kept_rows, 0, turned, out_rows[k])


@njit(cache=True, nogil=True)
def sum_stack(block: Any, first: Any, weights: Any, out: Any, a: int, b: int) -> None:
    """``out[k]`` for k from a to b: weighted sums of the planes from ``first[k]`` on, all flattened to rows."""
    for k in range(a, b):
        _sum_rows(block, first[k], weights[k], out[k])


@njit(cache=True, nogil=True)
def _sum_plane(plane: Any, first_y: Any, weights_y: Any, first_x: Any, weights_x: Any, out: Any) -> None:
    row = np.empty(plane.shape[1], out.dtype)
    taps = weights_x.shape[1]
    places = first_x.astype(np.uint32)  # never negative: numba need not ask
    later = weights_x[:, taps - 1].copy()
    for j in range(out.shape[0]):
        _sum_rows(plane, first_y[j], weights_y[j], row)
        line = out[j]
        if taps == 2:
            for i in range(line.size):
                k = places[i]
                line[i] = row[k] + later[i] * (row[k + np.uint32(1)] - row[k])
        else:
            for i in range(line.size):
                total = weights_x[i, 0] * row[places[i]]
                for t in range(1, taps):
                    total += weights_x[i, t] * row[places[i] + np.uint32(t)]
                line[i] = total


@njit(cache=True, nogil=True)
def _sum_rows(rows: Any, first: int, weights: Any, out: Any) -> None:
    if weights.size == 2:
        one, two, w_one, w_two = rows[first], rows[first + 1], weights[0], weights[1]
        for x in range(out.size):
            out[x] = w_one * one[x] + w_two * two[x]
        return
    for left in range(0, out.size, TILE):
        right = min(left + TILE, out.size)
        one, w_one = rows[first], weights[0]
        for x in range(left, right):
            out[x] = w_one * one[x]
        for t in range(1, weights.size):
            more, w_more = rows[first + t], weights[t]
            for x in range(left, right):
                out[x] += w_more * more[x]


@njit(cache=True, nogil=True)
def filter_columns(rows: Any, a: int, b: int) -> None:
    """Samples become B-spline coefficients along the first axis of ``rows``, in place, in the columns a … b.

    The ends are mirrored (``c b | a b c``), as scipy's ``mode="mirror"``.
    """
    n = rows.shape[0]
    if n == 1:
        return
    pole = rows.dtype.type(POLE)
    last = rows.dtype.type(POLE / (POLE * POLE - 1.0))
    for left in range(a, b, TILE):
        right = min(left + TILE, b)
        begin = np.zeros(right - left, rows.dtype)
        power = rows.dtype.type(6.0)
        for k in range(SETTLED):
            place = k % (2 * n - 2)
            row = rows[min(place, 2 * n - 2 - place)]
            for x in range(left, right):
                begin[x - left] += power * row[x]
            power *= pole
        for x in range(left, right):
            rows[0, x] = begin[x - left]
        for k in range(1, n):
            for x in range(left, right):
                rows[k, x] = rows.dtype.type(6.0) * rows[k, x] + pole * rows[k - 1, x]
        for x in range(left, right):
            rows[n - 1, x] = last * (rows[n - 1, x] + pole * rows[n - 2, x])
        for k in range(n - 2, -1, -1):
            for x in range(left, right):
                rows[k, x] = pole * (rows[k + 1, x] - rows[k, x])


@njit(cache=True, nogil=True)
def filter_planes(volume: Any, along_y: bool, along_x: bool, a: int, b: int) -> None:
    """Samples become B-spline coefficients along y and x as asked for, in place, in the planes a … b."""
    turned = np.empty((volume.shape[2], volume.shape[1]), volume.dtype)
    for z in range(a, b):
        plane = volume[z]
        if along_y:
            filter_columns(plane, 0, plane.shape[1])
        if along_x and plane.shape[1] > 1:
            _transpose(plane, turned)
            filter_columns(turned, 0, turned.shape[1])
            _transpose(turned, plane)


@njit(cache=True, nogil=True)
def _transpose(source: Any, target: Any) -> None:
    for top in range(0, source.shape[0], 16):
        for left in range(0, source.shape[1], 16):
            for y in range(top, min(top + 16, source.shape[0])):
                for x in range(left, min(left + 16, source.shape[1])):
                    target[x, y] = source[y, x]


@njit(cache=True, nogil=True)
def gather_linear(block: Any, start: Any, shape: Any, points: Any, out: Any) -> None:
    """``out[p]`` at the points ``(3, p)`` of an image of which the block is a part; beyond its ends the ends count."""
    for p in range(out.size):
        z0, z1, wz = _pair(points[0, p], start[0], shape[0], block.shape[0])
        y0, y1, wy = _pair(points[1, p], start[1], shape[1], block.shape[1])
        x0, x1, wx = _pair(points[2, p], start[2], shape[2], block.shape[2])
        near = (block[z0, y0, x0] * (1 - wx) + block[z0, y0, x1] * wx) * (1 - wy)
        near += (block[z0, y1, x0] * (1 - wx) + block[z0, y1, x1] * wx) * wy
        far = (block[z1, y0, x0] * (1 - wx) + block[z1, y0, x1] * wx) * (1 - wy)
        far += (block[z1, y1, x0] * (1 - wx) + block[z1, y1, x1] * wx) * wy
        out[p] = near * (1 - wz) + far * wz


@njit(cache=True, nogil=True)
def gather_nearest(block: Any, start: Any, shape: Any, points: Any, out: Any) -> None:
    """As :func:`gather_linear`, with the value of the nearest voxel; halfway it is the later one."""
    for p in range(out.size):
        z = _nearest(points[0, p], start[0], shape[0], block.shape[0])
        y = _nearest(points[1, p], start[1], shape[1], block.shape[1])
        x = _nearest(points[2, p], start[2], shape[2], block.shape[2])
        out[p] = block[z, y, x]


@njit(cache=True, nogil=True)
def gather_cubic(block: Any, start: Any, shape: Any, points: Any, out: Any) -> None:
    """As :func:`gather_linear`, with a cubic B-spline of which the block holds the coefficients."""
    z, y, x = np.empty(4, np.int64), np.empty(4, np.int64), np.empty(4, np.int64)
    wz, wy, wx = np.empty(4), np.empty(4), np.empty(4)
    for p in range(out.size):
        _four(points[0, p], start[0], shape[0], block.shape[0], z, wz)
        _four(points[1, p], start[1], shape[1], block.shape[1], y, wy)
        _four(points[2, p], start[2], shape[2], block.shape[2], x, wx)
        total = 0.0
        for i in range(4):
            plane = 0.0
            for j in range(4):
                row = block[z[i], y[j]]
                plane += wy[j] * (wx[0] * row[x[0]] + wx[1] * row[x[1]] + wx[2] * row[x[2]] + wx[3] * row[x[3]])
            total += wz[i] * plane
        out[p] = total


@njit(cache=True, nogil=True)
def _nearest(point: float, start: int, size: int, length: int) -> int:
    place = int(np.floor(min(max(point, 0.0), size - 1.0) + 0.5 + 1e-9))
    return min(max(min(place, size - 1) - start, 0), length - 1)


@njit(cache=True, nogil=True)
def _pair(point: float, start: int, size: int, length: int) -> tuple[int, int, float]:
    inside = min(max(point, 0.0), size - 1.0)
    place = int(np.floor(inside))
    low = min(max(place - start, 0), length - 1)
    high = min(max(min(place + 1, size - 1) - start, 0), length - 1)
    return low, high, inside - place


@njit(cache=True, nogil=True)
def _four(point: float, start: int, size: int, length: int, index: Any, weights: Any) -> None:
    inside = min(max(point, 0.0), size - 1.0)
    place = int(np.floor(inside))
    f = inside - place
    g = 1.0 - f
    weights[0] = g * g * g / 6.0
    weights[1] = 2.0 / 3.0 - 0.5 * f * f * (2.0 - f)
    weights[2] = 2.0 / 3.0 - 0.5 * g * g * (2.0 - g)
    weights[3] = f * f * f / 6.0
    for t in range(4):
        k = place - 1 + t
        if k >= size:
            k = 2 * size - 2 - k
        index[t] = min(max(min(abs(k), size - 1) - start, 0), length - 1)
