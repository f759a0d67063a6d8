"""Selection of features by boosting: AdaBoost over decision stumps, as Viola & Jones use it.

A *stump* is a weak classifier: one feature, a threshold, and on which side of it the positive class lies. Each round
takes the stump of the smallest weighted error over all features, and gives more weight to the examples that it gets
wrong, so that the next one complements it. Few of many thousand features are left.

References
----------
Freund & Schapire 1997, doi:10.1006/jcss.1997.1504; Viola & Jones 2004, doi:10.1023/B:VISI.0000013087.49260.fb, table 1
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, Field

from tasks.imaging.step import Array
from tasks.threads import over_slabs

Floats = npt.NDArray[np.float64]

PERFECT = 1e-10
"""An error below this is taken as this: a stump without error would count infinitely."""
CHANCE = 0.5 - 1e-9
"""A stump of this weighted error knows nothing."""

SORTED_AT_ONCE = 1024
"""Features whose order is kept as 64-bit integers for a moment."""


class Stump(BaseModel, frozen=True, extra="forbid"):
    """A weak classifier as plain data.

    Attributes
    ----------
    feature
        Its column.
    threshold
        Between low and high values; one that equals it is high.
    polarity
        1: low values speak for the positive class; -1: high ones do.
    weight
        What its vote counts: the logarithm of the odds that it is right.
    """

    feature: int
    threshold: float
    polarity: Literal[1, -1]
    weight: float = Field(gt=0)


def boosted_selection(
    features: Array,
    labels: npt.ArrayLike,
    rounds: int,
    *,
    weights: npt.ArrayLike | None = None,
    threads: int | None = None,
) -> tuple[Stump, ...]:
    """The stumps that boosting chooses, in this order.

    Parameters
    ----------
    features
        ``(n, m)``, finite; as :func:`tasks.imaging.haar_features.haar_like` returns it nothing is copied but one
        32-bit integer per value.
    labels
        ``(n,)``, true for the positive class; both classes must occur.
    rounds
        Stumps to choose at most: fewer where one is never wrong, or none is better than chance.
    weights
        Of the examples, ``(n,)``, positive; ``None``: half for each class, equal within it.
    threads
        ``None``: the budget of this process. The result does not depend on it.

    Returns
    -------
    tuple of Stump
        Of equal errors the first feature wins, then low values, then the lowest threshold. A feature may come again.

    Raises
    ------
    ValueError
        When lengths do not fit, a class is missing, weights are not positive, or features are not finite.
    """
    from tasks.imaging.kernels.stumps import best_stumps

    positive = np.ascontiguousarray(labels, dtype=np.bool_)
    columns = np.ascontiguousarray(features.T, np.float32 if features.dtype == np.float32 else np.float64)
    weighs = _checked(columns, positive, weights)
    order = _ascending(columns, threads)
    gains, thresholds = np.empty((2, len(columns))), np.empty((2, len(columns)))
    chosen: list[Stump] = []
    for _ in range(rounds):
        weighs = weighs / weighs.sum()
        signed = np.where(positive, weighs, -weighs)
        over_slabs(
            lambda start, stop, s=signed: best_stumps(columns, order, s, gains, thresholds, start, stop),  # type: ignore[misc]
            len(columns),
            threads,
        )
        errors = np.stack([weighs[positive].sum() - gains[0], weighs[~positive].sum() - gains[1]], axis=1)
        feature, side = np.unravel_index(np.argmin(errors), errors.shape)
        error = max(float(errors[feature, side]), PERFECT)
        if error >= CHANCE:
            break
        stump = Stump(
            feature=int(feature),
            threshold=float(thresholds[side, feature]),
            polarity=-1 if side else 1,
            weight=log((1 - error) / error),
        )
        chosen.append(stump)
        if error == PERFECT:
            break
        right = _votes_for(stump, columns[feature]) == positive
        weighs = np.where(right, weighs * (error / (1 - error)), weighs)
    return tuple(chosen)


def votes(features: Array, stumps: Sequence[Stump]) -> Floats:
    """Sum of the weights of the stumps that vote for the positive class, for each row of features, ``(n,)``.

    Boosting's own decision is at half of the weights' sum; a cascade's stage lowers it, to lose hardly a positive.
    """
    total = np.zeros(len(features))
    for stump in stumps:
        total += np.where(_votes_for(stump, features[:, stump.feature]), stump.weight, 0.0)
    return total


def _votes_for(stump: Stump, values: Array) -> npt.NDArray[np.bool_]:
    return np.asarray((values.astype(np.float64) < stump.threshold) == (stump.polarity > 0))


def _checked(columns: Array, positive: npt.NDArray[np.bool_], weights: npt.ArrayLike | None) -> Floats:
    """The examples' first weights."""
    count = columns.shape[1]
    if positive.shape != (count,) or not positive.any() or positive.all():
        raise ValueError(f"expected labels of both classes for {count} examples; got {positive.sum()} positive ones")
    if not len(columns) or not np.isfinite(columns).all():
        raise ValueError("expected at least one feature, and finite values")
    if weights is None:
        return np.asarray(np.where(positive, 0.5 / positive.sum(), 0.5 / (~positive).sum()))
    given = np.asarray(weights, dtype=np.float64)
    if given.shape != (count,) or not np.isfinite(given).all() or not (given > 0).all():
        raise ValueError(f"expected a positive weight for each of {count} examples")
    return given


def _ascending(columns: Array, threads: int | None) -> npt.NDArray[np.int32]:
    """The examples by ascending value, for each feature."""
    order = np.empty(columns.shape, dtype=np.int32)

    def sort(start: int, stop: int) -> None:
        for row in range(start, stop, SORTED_AT_ONCE):
            part = slice(row, min(row + SORTED_AT_ONCE, stop))
            order[part] = np.argsort(columns[part], axis=1, kind="stable")

    over_slabs(sort, len(columns), threads)
    return order
