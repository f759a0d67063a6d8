"""Keeping one of several candidates that say the same: greedy non-maximum suppression."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tasks.imaging.morphology import BoolArray, Box


def keep_best(
    scores: npt.NDArray[np.floating], overlaps: BoolArray, *, most: int | None = None
) -> npt.NDArray[np.intp]:
    """Indices of the candidates kept, best first: none overlaps a better one that was kept.

    Parameters
    ----------
    scores
        ``(n,)``; ties go to the lower index.
    overlaps
        ``(n, n)``, symmetric: whether two candidates share a voxel.
    most
        Keep at most so many.
    """
    kept: list[int] = []
    free = np.ones(len(scores), dtype=bool)
    for index in np.lexsort((np.arange(len(scores)), -np.asarray(scores, dtype=float))):
        if most is not None and len(kept) == most:
            break
        if free[index]:
            kept.append(int(index))
            free &= ~overlaps[index]
    return np.asarray(kept, dtype=np.intp)


def overlapping(masks: Sequence[tuple[Box, BoolArray]]) -> BoolArray:
    """Which candidates share a voxel: ``(n, n)``, symmetric, true on the diagonal.

    Parameters
    ----------
    masks
        For each candidate its bounding box in the image and the mask in it.
    """
    n = len(masks)
    starts = np.asarray([[axis.start for axis in box] for box, _ in masks], dtype=np.int64).reshape(n, 3)
    stops = np.asarray([[axis.stop for axis in box] for box, _ in masks], dtype=np.int64).reshape(n, 3)
    shared = np.eye(n, dtype=bool)
    for i in range(n):
        meet = ((starts[i + 1 :] < stops[i]) & (stops[i + 1 :] > starts[i])).all(axis=1)
        for j in i + 1 + np.flatnonzero(meet):
            start, stop = np.maximum(starts[i], starts[j]), np.minimum(stops[i], stops[j])
            one, other = (masks[k][1][tuple(map(slice, start - starts[k], stop - starts[k]))] for k in (i, j))
            shared[i, j] = shared[j, i] = bool((one & other).any())
    return shared
