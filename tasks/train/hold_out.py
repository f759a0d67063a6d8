"""Which of the pictures that may be learned from are kept out, to stop early and to calibrate on."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]


def hold_out(
    labels: IntArray,
    groups: npt.NDArray[Any],
    fraction: float,
    *,
    seed: int,
    among: npt.NDArray[np.bool_] | None = None,
) -> tuple[IntArray, IntArray]:
    """Rows to learn from, and rows kept out: about ``fraction`` of each class, whole groups, drawn by the seed.

    Groups count as the class of their first row, and come in the order of their first rows: their names, which may be
    pseudonyms, decide nothing. The last group of a class is never kept out.

    Parameters
    ----------
    labels, groups
        ``(n,)``: the class; and what must not be torn apart, any type that compares equal.
    among
        ``(n,)``: only groups that lie in these rows altogether may be kept out. ``None``: any.
    """
    _, first, number = np.unique(groups, return_index=True, return_inverse=True)
    kept = np.zeros(len(labels), dtype=bool)
    rng = np.random.default_rng(seed)
    for label in np.unique(labels):
        rows = rng.permutation(np.sort(first[labels[first] == label]))
        wanted = round(fraction * np.count_nonzero(labels == label))
        for row in rows[:-1]:
            members = number == number[row]
            if among is not None and not among[members].all():
                continue
            if np.count_nonzero(kept & (labels == label)) + np.count_nonzero(members) <= wanted:
                kept |= members
    return np.flatnonzero(~kept), np.flatnonzero(kept)
