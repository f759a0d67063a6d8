"""Runs of equal levels along given directions, counted: the inner loop of run length matrices."""

from __future__ import annotations

import numpy as np
from numba import njit

from tasks.imaging.step import Array


@njit(cache=True, nogil=True)
def count_run_voxels(
    levels: Array, positions: Array, slice_ends: Array, offsets: Array, state: Array, counts: Array
) -> None:
    """Add to ``counts[slice, direction, level, n]`` the voxels that are the n-th of their run.

    There are as many of them as runs of n voxels or more. To count these instead of runs needs no look ahead and no
    branch, which the level of the next voxel would make unpredictable.

    Parameters
    ----------
    levels, positions, slice_ends
        Of a `Scan`, or of some of its slices.
    offsets
        ``int64``, ``(directions,)``, all positive.
    state
        ``int32``, of the size of ``levels``, zeros where there is no voxel; overwritten.
    counts
        ``int32``, ``(slices or 1, directions or 1, levels + 1, longest run + 2)``; an axis of 1 merges.
    """
    slices, directions, _, lengths = counts.shape
    for d in range(len(offsets)):
        start = 0
        for z in range(len(slice_ends)):
            flat = counts[min(z, slices - 1), min(d, directions - 1)].reshape(-1)
            for k in range(start, slice_ends[z]):
                p = positions[k]
                row = levels[p] * lengths
                # A voxel's state is its cell. That of the voxel before lies in the same row where the run goes on.
                before = state[np.uintp(p - offsets[d])]
                here = 1 + (before if row < before < row + lengths else row)
                state[np.uintp(p)] = here
                flat[np.uintp(here)] += 1
            start = slice_ends[z]
