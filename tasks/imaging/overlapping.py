"""Windows of images that overlap because they show the same: merged into one; and windows brought to one size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tasks.imaging.haar_patterns import Integers
from tasks.imaging.integral_image import Floats
from tasks.imaging.step import Array


@dataclass(frozen=True, eq=False)
class Merged:
    """What is left of overlapping windows, the best first.

    Attributes
    ----------
    starts, sizes
        First voxel and voxels along each axis, perhaps fractional: means over the windows merged, ``(m, 2)`` or
        ``(m, 3)``.
    scores
        Of the best of them, ``(m,)``.
    merged
        How many windows each stands for, ``(m,)``.
    """

    starts: Floats
    sizes: Floats
    scores: Floats
    merged: Integers


def merge_windows(starts: Integers, sizes: Integers, scores: Floats, *, overlap: float, least: int = 1) -> Merged:
    """Non-maximum suppression: the best window takes with it all that overlap it, then the best of the others does.

    Each group becomes the mean of its windows (Viola & Jones 2004, doi:10.1023/B:VISI.0000013087.49260.fb, section
    5.7). Of equal scores the first window wins.

    Parameters
    ----------
    starts, sizes
        First voxel and voxels along each axis, ``(n, axes)``.
    scores
        ``(n,)``.
    overlap
        Share of the smaller window, 0 to 1, from which two are the same: so a window inside another is merged too.
    least
        Windows of a group, at least: an object is found by many neighbours, noise by one.
    """
    left = np.argsort(-scores, kind="stable")
    groups: list[tuple[Floats, Floats, float, int]] = []
    while len(left):
        same = _overlaps(starts[left], sizes[left], starts[left[0]], sizes[left[0]]) >= overlap
        same[0] = True
        group = left[same]
        if len(group) >= least:
            found = starts[group].mean(axis=0), sizes[group].mean(axis=0)
            groups.append((*found, float(scores[left[0]]), len(group)))
        left = left[~same]
    axes = starts.shape[1]
    return Merged(
        np.array([group[0] for group in groups]).reshape(-1, axes),
        np.array([group[1] for group in groups]).reshape(-1, axes),
        np.array([group[2] for group in groups]),
        np.array([group[3] for group in groups], dtype=np.int64),
    )


def shrink(window: Array, shape: tuple[int, ...]) -> Floats:
    """A window as means over boxes of equal size, of another shape, not larger than its own.

    Raises
    ------
    ValueError
        When it would have to grow.
    """
    if any(n < m for n, m in zip(window.shape, shape, strict=True)):
        raise ValueError(f"expected a window of at least {shape}; got {window.shape}")
    found = np.asarray(window, dtype=np.float64)
    for axis, count in enumerate(shape):
        found = _mean_along(found, axis, count)
    return found


def _overlaps(starts: Integers, sizes: Integers, start: Integers, size: Integers) -> Floats:
    """Share of the smaller window that each of many has in common with one."""
    low, high = np.maximum(starts, start), np.minimum(starts + sizes, start + size)
    shared = np.maximum(high - low, 0).prod(axis=1)
    return np.asarray(shared / np.minimum(sizes.prod(axis=1), size.prod()))


def _mean_along(array: Floats, axis: int, count: int) -> Floats:
    length = array.shape[axis]
    if length == count:
        return array
    moved = np.moveaxis(array, axis, 0)
    sums = np.concatenate([np.zeros_like(moved[:1]), np.cumsum(moved, axis=0)])
    ends = np.linspace(0, length, count + 1)
    whole = np.minimum(ends.astype(np.int64), length - 1)
    part = (ends - whole).reshape(-1, *(1,) * (moved.ndim - 1))
    upto = sums[whole] + part * moved[whole]
    return np.moveaxis(np.diff(upto, axis=0) * (count / length), 0, axis)
