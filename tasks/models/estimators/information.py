"""Mutual information of columns of states, in bits, from counts; rows in which a state is missing are left out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tasks.models.estimators.bins import States

Counts = npt.NDArray[np.float64]


def count_states(columns: States, sizes: Sequence[int]) -> Counts:
    """How often each combination of states occurs, of shape ``sizes``, one axis a column."""
    seen = columns[(columns >= 0).all(axis=1)]
    cells = np.ravel_multi_index(tuple(seen.T), tuple(sizes))
    return np.bincount(cells, minlength=int(np.prod(sizes))).reshape(sizes).astype(np.float64)


def information_bits(counts: Counts) -> float:
    """I(first; second | all others) of a table of counts whose first two axes are the pair; 0 of an empty one."""
    total = counts.sum()
    if total == 0:
        return 0.0
    joint = counts.reshape(*counts.shape[:2], -1) / total
    first, second, given = joint.sum(axis=1, keepdims=True), joint.sum(axis=0, keepdims=True), joint.sum(axis=(0, 1))
    some = joint > 0
    ratio = (joint * given)[some] / (first * second)[some]
    return max(0.0, float((joint[some] * np.log2(ratio)).sum()))
