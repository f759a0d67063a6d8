"""Columns of numbers as few states, learnt on the training rows; what is not defined stays so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
States = npt.NDArray[np.int64]
MISSING = -1
"""State of a value that is not defined."""


def find_cuts(
    columns: Floats, labels: npt.NDArray[np.int64], *, bins: int, by: Literal["quantile", "entropy"]
) -> list[Floats]:
    """Where each column is cut: ascending, at most ``bins - 1`` values, none where the column does not vary.

    Parameters
    ----------
    columns
        ``(n, m)``, NaN where not defined.
    labels
        ``(n,)``, the number of the class.
    by
        ``"quantile"``: bins of about equal numbers, without a look at the classes. ``"entropy"``: the leaves of a
        decision tree on this column alone, cut where they tell most of the class (as Fayyad & Irani 1993 do, but for
        their rule when to stop), none with less than a twentieth of the rows.
    """
    find = _quantiles if by == "quantile" else _purest
    return [find(column[seen], labels[seen], bins) for column in columns.T for seen in [np.isfinite(column)]]


def to_states(columns: Floats, cuts: Sequence[Floats]) -> States:
    """Number of the bin of each value, ``(n, m)``; a value on a cut belongs to the bin above. ``MISSING`` for NaN."""
    states = np.full(columns.shape, MISSING, dtype=np.int64)
    for place, ends in enumerate(cuts):
        seen = ~np.isnan(columns[:, place])
        states[seen, place] = np.searchsorted(ends, columns[seen, place], side="right")
    return states


def _quantiles(values: Floats, labels: npt.NDArray[np.int64], bins: int) -> Floats:
    del labels
    above = values[values > values.min(initial=np.inf)]
    if not len(above):
        return np.zeros(0)
    ends = np.quantile(values, np.arange(1, bins) / bins)
    return np.unique(np.maximum(ends, above.min()))  # of many equal low values one bin, and none below it


def _purest(values: Floats, labels: npt.NDArray[np.int64], bins: int) -> Floats:
    from sklearn.tree import DecisionTreeClassifier

    if not len(values):
        return np.zeros(0)
    tree = DecisionTreeClassifier(
        criterion="entropy", max_leaf_nodes=bins, min_samples_leaf=max(1, len(values) // 20), random_state=0
    )
    found = tree.fit(values[:, None], labels).tree_
    # The tree compares 32-bit numbers and sends equal ones to the left; ours go up.
    ends = np.nextafter(found.threshold[found.children_left >= 0], np.inf)
    return np.unique(ends)
