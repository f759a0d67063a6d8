"""How well pictures are told apart into classes, with groups as the unit of resampling.

- *class*: an index from 0. *group*: pictures that are not independent, e.g. of one patient, or near-duplicates.
- *received*: all pictures. *analysed*: those for which the classifier said anything. The others are *excluded*: over
  what was received they count as wrong, for the AUC as placed below every picture of other classes.
- *recall* of a class: the share of its pictures that were called so. *Balanced accuracy*: mean recall of the classes.

Where every group is one picture, the interval of an accuracy is Clopper–Pearson's; all others are group bootstraps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tasks.metrics.intervals import (
    NO_WIDTH,
    Interval,
    bounded_interval,
    clopper_pearson,
    mcnemar_exact,
    patient_weights,
    ratio_draws,
)

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

EXCLUDED = -1
"""Stands for the class of a picture of which the classifier said nothing."""
_DRAWS_AT_ONCE = 64


@dataclass(frozen=True, eq=False)
class Predictions:
    """What a classifier said of all pictures that were received.

    Attributes
    ----------
    truth
        Class of each picture, int ``(pictures,)``.
    predicted
        The same, as predicted; `EXCLUDED` where there is no prediction.
    probability
        ``(pictures, classes)``, 0–1; the rows of excluded pictures are not looked at.
    groups
        Name of each picture's group.
    """

    truth: IntArray
    predicted: IntArray
    probability: FloatArray
    groups: Sequence[str]

    def __post_init__(self) -> None:
        """Refuse what cannot be one set of pictures."""
        n, classes = self.probability.shape
        if not n or self.truth.shape != (n,) or self.predicted.shape != (n,) or len(self.groups) != n:
            raise ValueError(
                f"expected one class, prediction and group for each of {n} pictures, at least 1; "
                f"got {self.truth.shape}, {self.predicted.shape} and {len(self.groups)}"
            )
        if not ((self.truth >= 0) & (self.truth < classes)).all():
            raise ValueError(f"expected classes from 0 to {classes - 1}; got {np.unique(self.truth).tolist()}")
        if not ((self.predicted >= EXCLUDED) & (self.predicted < classes)).all():
            raise ValueError(f"expected predictions from -1 to {classes - 1}; got {np.unique(self.predicted).tolist()}")
        if not np.isfinite(self.probability[self.predicted != EXCLUDED]).all():
            raise ValueError("expected finite probabilities for all pictures that are not excluded")

    @property
    def classes(self) -> int:
        """Number of classes."""
        return int(self.probability.shape[1])

    @property
    def correct(self) -> npt.NDArray[np.bool_]:
        """Whether each picture got its class; never for an excluded one."""
        return np.asarray(self.truth == self.predicted, dtype=bool)

    @cached_property
    def owner(self) -> IntArray:
        """Index of each picture's group, ``(pictures,)``; groups are in an order that their names do not change."""
        # A bootstrap hands out weights by position: what a group holds decides on its position.
        _, named = np.unique(np.asarray(self.groups, dtype=str), return_inverse=True)
        shown = np.where((self.predicted == EXCLUDED)[:, None], -1.0, self.probability)
        rows = np.column_stack([self.truth, self.predicted, shown])
        first_by_group: dict[int, list[tuple[float, ...]]] = {}
        for group, row in zip(named.tolist(), rows.tolist(), strict=True):
            first_by_group.setdefault(group, []).append(tuple(row))
        ordered = sorted(first_by_group, key=lambda group: sorted(first_by_group[group]))
        place = np.empty(len(ordered), dtype=np.int64)
        place[ordered] = np.arange(len(ordered))
        return np.asarray(place[named], dtype=np.int64)

    @property
    def group_count(self) -> int:
        """Number of groups."""
        return int(self.owner.max()) + 1

    def analysed(self) -> Predictions | None:
        """Without the excluded pictures; ``None`` when nothing is left."""
        kept = np.flatnonzero(self.predicted != EXCLUDED)
        if not kept.size:
            return None
        groups = [self.groups[k] for k in kept.tolist()]
        return Predictions(self.truth[kept], self.predicted[kept], self.probability[kept], groups)


class Estimate(NamedTuple):
    """A value, its interval (``None`` where none is defined), and how many pictures in how many groups it is of."""

    value: float
    interval: Interval | None
    pictures: int
    groups: int


class AccuracyDifference(NamedTuple):
    """Accuracy of the first less that of the second on the same pictures; `p` is two-sided, `test` names its test."""

    value: float
    interval: Interval
    both: int
    first_only: int
    second_only: int
    neither: int
    p: float
    test: str


def accuracy(predictions: Predictions, *, draws: int, seed: int, level: float = 0.95) -> Estimate:
    """Share of pictures that got their class, over all that were received (see `Predictions.analysed`)."""
    hits, sizes = _per_group(predictions, predictions.correct), _per_group(predictions, np.ones(len(predictions.truth)))
    value, groups = float(hits.sum() / sizes.sum()), predictions.group_count
    if (sizes == 1).all():
        interval = clopper_pearson(int(hits.sum()), groups, level=level)
    else:
        weights = patient_weights(groups, draws=draws, seed=seed)
        resampled = (weights @ hits) / (weights @ sizes)
        interval = _by_group(bounded_interval(resampled, value=value, n=groups, level=level))
    return Estimate(value, interval, len(predictions.truth), groups)


def balanced_accuracy(predictions: Predictions, *, draws: int, seed: int, level: float = 0.95) -> Estimate:
    """Mean recall of the classes that are present; draws that lack one of them are left out."""
    present = np.unique(predictions.truth)
    of_class = predictions.truth[:, None] == present
    sizes = np.stack([_per_group(predictions, column) for column in of_class.T], axis=1)
    hits = np.stack([_per_group(predictions, column & predictions.correct) for column in of_class.T], axis=1)
    weights = patient_weights(len(sizes), draws=draws, seed=seed).astype(float)
    with np.errstate(invalid="ignore"):
        resampled = ((weights @ hits) / (weights @ sizes)).mean(axis=1)
    value = float((hits.sum(axis=0) / sizes.sum(axis=0)).mean())
    interval = _by_group(bounded_interval(resampled, value=value, n=len(sizes), level=level))
    return Estimate(value, interval, len(predictions.truth), len(sizes))


def macro_auc(predictions: Predictions, *, draws: int, seed: int, level: float = 0.95) -> Estimate:
    """Mean over the classes that are present of the AUC of each against the rest, ties counting half.

    `tasks.metrics.discrimination.auc` compares patient with patient, which needs groups² numbers. Here pictures are
    ranked, since there may be ten thousand groups. ``nan``, without interval, where there is one class alone.

    References
    ----------
    Provost & Domingos 2000, Well-trained PETs: improving probability estimation trees, CeDER working paper IS-00-04
    """
    present = np.unique(predictions.truth)
    weights = np.concatenate(
        [np.ones((1, predictions.group_count)), patient_weights(predictions.group_count, draws=draws, seed=seed)]
    )
    excluded = predictions.predicted == EXCLUDED
    values = np.full((len(weights), len(present)), np.nan)
    for column, label in enumerate(present if len(present) > 1 else []):
        positive = predictions.truth == label
        scores = np.where(excluded, np.where(positive, -np.inf, np.inf), predictions.probability[:, label])
        for start in range(0, len(weights), _DRAWS_AT_ONCE):
            part = slice(start, start + _DRAWS_AT_ONCE)
            values[part, column] = _weighted_auc(scores, positive, weights[part][:, predictions.owner])
    means = values.mean(axis=1)
    value, pictures, groups = float(means[0]), len(predictions.truth), predictions.group_count
    if np.isnan(value):
        return Estimate(value, None, pictures, groups)
    interval = _by_group(bounded_interval(means[1:], value=value, n=groups, level=level))
    return Estimate(value, interval, pictures, groups)


def confusion_matrix(predictions: Predictions) -> IntArray:
    """Pictures by class (rows) and prediction (columns, the last one for excluded): ``(classes, classes + 1)``."""
    table = np.zeros((predictions.classes, predictions.classes + 1), dtype=np.int64)
    np.add.at(table, (predictions.truth, predictions.predicted), 1)  # EXCLUDED, -1, is the last column
    return table


def expected_calibration_error(predictions: Predictions, *, bins: int = 10) -> float:
    """Mean distance of confidence and accuracy over bins of equal width; analysed pictures only, ``nan`` without any.

    Confidence is the probability of the predicted class. The mean is weighted by the pictures in a bin.

    References
    ----------
    Guo et al. 2017, arXiv:1706.04599, equation 3
    """
    kept = np.flatnonzero(predictions.predicted != EXCLUDED)
    if not kept.size:
        return float("nan")
    confidence = predictions.probability[kept, predictions.predicted[kept]]
    # Bins are open below and closed above, as in the reference; 0 goes into the first.
    place = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    gaps = np.bincount(place, weights=predictions.correct[kept] - confidence, minlength=bins)
    return float(np.abs(gaps).sum() / kept.size)


def accuracy_difference(
    first: Predictions, second: Predictions, *, draws: int, seed: int, level: float = 0.95
) -> AccuracyDifference:
    """Two classifiers on the same pictures, given in the same order.

    The interval is a group bootstrap. `p` is McNemar's exact test where every group is one picture, else twice the
    smaller share of draws on either side of 0, with one added to both counts so that it is never 0.

    Raises
    ------
    ValueError
        The pictures of the two differ in class or group.
    """
    if first.truth.tolist() != second.truth.tolist() or list(first.groups) != list(second.groups):
        raise ValueError("expected the same pictures in the same order on both sides")
    a, b = first.correct, second.correct
    gain, sizes = _per_group(first, a.astype(float) - b), _per_group(first, np.ones(len(a)))
    value = float(gain.sum() / sizes.sum())
    resampled = ratio_draws(gain, sizes, draws=draws, seed=seed)
    interval = _by_group(bounded_interval(resampled, value=value, n=len(sizes), least=-1.0, level=level))
    first_only, second_only = int((a & ~b).sum()), int((b & ~a).sum())
    if (sizes == 1).all():
        p, test = mcnemar_exact(first_only, second_only), "McNemar, exact"
    else:
        smaller = min(int((resampled <= NO_WIDTH).sum()), int((resampled >= -NO_WIDTH).sum()))
        p, test = min(1.0, 2.0 * (smaller + 1) / (draws + 1)), f"group bootstrap, {draws} draws"
    return AccuracyDifference(
        value, interval, int((a & b).sum()), first_only, second_only, int((~a & ~b).sum()), p, test
    )


def _per_group(predictions: Predictions, values: npt.ArrayLike) -> FloatArray:
    """Sum of a value per picture over each group, ``(groups,)``."""
    weights = np.asarray(values, dtype=float)
    return np.asarray(np.bincount(predictions.owner, weights=weights, minlength=predictions.group_count), dtype=float)


def _weighted_auc(scores: FloatArray, positive: npt.NDArray[np.bool_], weights: FloatArray) -> FloatArray:
    """AUC of scores ``(n,)`` for each row of weights ``(draws, n)``; ``nan`` where a class has no weight."""
    _, rank = np.unique(scores, return_inverse=True)
    order = np.argsort(rank, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(rank[order]) > 0])
    above = np.add.reduceat(np.where(positive, weights, 0.0)[:, order], starts, axis=1)
    below = np.add.reduceat(np.where(positive, 0.0, weights)[:, order], starts, axis=1)
    lower = np.cumsum(below, axis=1) - below / 2.0
    with np.errstate(invalid="ignore"):
        return np.asarray((above * lower).sum(axis=1) / (above.sum(axis=1) * below.sum(axis=1)))


def _by_group(interval: Interval) -> Interval:
    """An interval whose unit is the group, and says so."""
    return interval._replace(method=interval.method.replace("patient", "group"))
