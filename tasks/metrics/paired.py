"""Two classifiers on the same images: the difference of a figure, with an interval in which groups are the unit.

A *group* is what was not torn apart when the folds were cut: a patient, or pictures that show nearly the same. Both
classifiers are asked about the same images, and each draw of the bootstrap takes the same groups for both.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from tasks.metrics.intervals import PairedDifference, bounded_interval, patient_weights

FloatArray = npt.NDArray[np.float64]
Weighted = Callable[[FloatArray, npt.NDArray[np.bool_], FloatArray], FloatArray]
"""A figure ``(draws,)`` of scores ``(n,)``, positives ``(n,)`` and weights of the rows ``(draws, n)``."""


def paired_group_difference(
    figure: Weighted,
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    positive: npt.ArrayLike,
    groups: npt.ArrayLike,
    *,
    draws: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> PairedDifference:
    """A figure of ``first`` minus the same of ``second``, on the same images, with a bootstrap of whole groups.

    Parameters
    ----------
    figure
        `weighted_auc`, `weighted_sensitivity` …, within 0–1.
    first, second
        Scores, or 0 and 1 for what each classifier says, ``(n,)``.
    positive, groups
        ``(n,)``.

    Returns
    -------
    PairedDifference
        ``n`` counts groups. ``p`` is twice the smaller share of draws on either side of 0, one added to both counts.

    Raises
    ------
    ValueError
        When lengths differ, or the figure is not defined, as with one class.
    """
    a, b = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    flags, names = np.asarray(positive, dtype=bool), np.asarray(groups)
    if not a.shape == b.shape == flags.shape == names.shape or a.ndim != 1 or not a.size:
        raise ValueError(f"expected four lists of one length; got {a.shape}, {b.shape}, {flags.shape}, {names.shape}")
    once = np.ones((1, a.size))
    value = float(figure(a, flags, once)[0] - figure(b, flags, once)[0])
    if not np.isfinite(value):
        raise ValueError("the figure is not defined on these images: expected positive and negative ones")
    member, count = _numbered(names, np.stack([a, b, flags.astype(float)], axis=1))
    weights = patient_weights(count, draws=draws, seed=seed).astype(float)[:, member]
    found = figure(a, flags, weights) - figure(b, flags, weights)
    found = found[np.isfinite(found)]
    smaller = min(int(np.count_nonzero(found <= 0)), int(np.count_nonzero(found >= 0)))
    interval = bounded_interval(found, value=value, n=count, least=-1.0, most=1.0, level=level)
    return PairedDifference(value, interval, count, min(1.0, 2.0 * (smaller + 1) / (found.size + 1)))


def weighted_auc(scores: FloatArray, positive: npt.NDArray[np.bool_], weights: FloatArray) -> FloatArray:
    """Chance that a positive scores above a negative, ties counting half; NaN without one of them."""
    order = np.argsort(scores, kind="stable")
    values = scores[order]
    yes, no = (weights[:, order] * flags[order] for flags in (positive, ~positive))
    before = np.concatenate([np.zeros((len(weights), 1)), np.cumsum(no, axis=1)], axis=1)
    low, high = (np.searchsorted(values, values, side=side) for side in ("left", "right"))
    with np.errstate(invalid="ignore", divide="ignore"):
        wins = (yes * (before[:, low] + before[:, high]) / 2).sum(axis=1)
        return np.asarray(wins / (yes.sum(axis=1) * no.sum(axis=1)))


def weighted_sensitivity(said: FloatArray, positive: npt.NDArray[np.bool_], weights: FloatArray) -> FloatArray:
    """Share of the positives of which 1 is said; NaN without any."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((weights @ (said * positive)) / (weights @ positive))


def weighted_specificity(said: FloatArray, positive: npt.NDArray[np.bool_], weights: FloatArray) -> FloatArray:
    """Share of the negatives of which 0 is said; NaN without any."""
    return weighted_sensitivity(1 - said, ~positive, weights)


def weighted_accuracy(said: FloatArray, positive: npt.NDArray[np.bool_], weights: FloatArray) -> FloatArray:
    """Balanced: the mean of sensitivity and specificity."""
    return (weighted_sensitivity(said, positive, weights) + weighted_specificity(said, positive, weights)) / 2


def _numbered(names: npt.NDArray[np.generic], values: FloatArray) -> tuple[npt.NDArray[np.int64], int]:
    """Number of each row's group, in an order that the values decide and not the names; and how many there are."""
    _, member = np.unique(names, return_inverse=True)
    rows: dict[int, list[tuple[float, ...]]] = {}
    for group, row in zip(member.tolist(), values.tolist(), strict=True):
        rows.setdefault(group, []).append(tuple(row))
    ranked = sorted(rows, key=lambda group: sorted(rows[group]))
    place = np.empty(len(ranked), dtype=np.int64)
    place[ranked] = np.arange(len(ranked))
    return place[member], len(ranked)
