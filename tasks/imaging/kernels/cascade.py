"""Windows of an image through the stages of a cascade, most of which leave it early."""

from __future__ import annotations

import numpy as np
from numba import njit

from tasks.imaging.step import Array


@njit(cache=True, nogil=True)
def scan_rows(
    sums: Array,
    squares: Array,
    window: Array,
    steps: Array,
    tiny: float,
    corners: tuple[Array, ...],
    stumps: tuple[Array, ...],
    stages: tuple[Array, ...],
    scores: Array,
    asked: Array,
    start: int,
    stop: int,
) -> None:
    """Scores of the rows ``start … stop`` of windows, counted in scan order.

    Parameters
    ----------
    sums, squares
        float64 ``(z + 1, y + 1, x + 1)``: integral images of the image less its mean, and of its squares.
    window, steps
        int64 ``(3,)``: voxels of a window, and from one to the next.
    tiny
        A sum of squared deviations of a window up to this is rounding: it counts as flat.
    corners
        Of the stumps' features: int64 ``(m + 1,)`` first corner of each, int64 ``(c,)`` offset from the window's first
        voxel in the flat integral image, float64 ``(c,)`` weight; and float64 ``(m,)``, what each gives on ones.
    stumps
        float64 thresholds, bool whether low values speak for the object, float64 weights: ``(m,)``.
    stages
        int64 ``(s + 1,)`` first stump of each, float64 ``(s,)`` thresholds.
    scores
        float32 ``(depth, height, width)`` of windows, filled: share of the weights that voted for the
        object; NaN where a stage rejects it.
    asked
        int64 ``(depth, height)``, filled: how many stumps were asked.
    """
    first, offsets, weights, net = corners
    thresholds, low_is_object, counts = stumps
    stage_first, stage_threshold = stages
    rows, columns = sums.shape[1:]
    flat_sums, whole = sums.ravel(), counts.sum()
    voxels = window[0] * window[1] * window[2]
    height, width = scores.shape[1:]
    for row in range(start, stop):
        depth_at, height_at = row // height, row % height
        z, y = depth_at * steps[0], height_at * steps[1]
        stumps_asked = 0
        for width_at in range(width):
            x = width_at * steps[2]
            mean = _box(sums, z, y, x, window) / voxels
            deviations = _box(squares, z, y, x, window) - voxels * mean * mean
            scale = 0.0 if deviations <= tiny else 1.0 / np.sqrt(deviations / voxels)
            base = (z * rows + y) * columns + x
            score, passed = 0.0, True
            for stage in range(len(stage_threshold)):
                total = 0.0
                for stump in range(stage_first[stage], stage_first[stage + 1]):
                    value = -mean * net[stump]
                    for corner in range(first[stump], first[stump + 1]):
                        value += weights[corner] * flat_sums[base + offsets[corner]]
                    if (value * scale < thresholds[stump]) == low_is_object[stump]:
                        total += counts[stump]
                    stumps_asked += 1
                score += total
                if total < stage_threshold[stage]:
                    passed = False
                    break
            scores[depth_at, height_at, width_at] = score / whole if passed else np.nan
        asked[depth_at, height_at] = stumps_asked


@njit(cache=True, nogil=True)
def _box(sums: Array, z: int, y: int, x: int, size: Array) -> float:
    """Sum over a box."""
    a, b, c = z + size[0], y + size[1], x + size[2]
    near = sums[z, b, c] - sums[z, y, c] - sums[z, b, x] + sums[z, y, x]
    far = sums[a, b, c] - sums[a, y, c] - sums[a, b, x] + sums[a, y, x]
    return float(far - near)
