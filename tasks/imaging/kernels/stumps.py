"""The best threshold of each of many features, for weighted examples of two classes."""

from __future__ import annotations

import numpy as np
from numba import njit

from tasks.imaging.step import Array


@njit(cache=True, nogil=True)
def best_stumps(
    values: Array,
    order: Array,
    positive: Array,
    weights: Array,
    errors: Array,
    thresholds: Array,
    start: int,
    stop: int,
) -> None:
    """Smallest weighted errors of the features ``start … stop``, and where they are reached.

    Parameters
    ----------
    values
        ``(m, n)`` of a feature's values side by side, finite.
    order
        int32 ``(m, n)``: examples by ascending value.
    positive, weights
        bool and float64 ``(n,)``.
    errors
        float64 ``(2, m)``, filled: where low values speak for the positive class, and where high ones do; infinite
        where all values are equal.
    thresholds
        float64 ``(2, m)``, filled: halfway between two values that follow each other; the lowest of equal ones.
    """
    of_class = np.zeros(2)
    for example in range(len(weights)):
        of_class[int(positive[example])] += weights[example]
    below = np.zeros(2)
    for feature in range(start, stop):
        below[:] = 0.0
        errors[:, feature] = np.inf
        for place in range(len(weights) - 1):
            example = order[feature, place]
            below[int(positive[example])] += weights[example]
            low = np.float64(values[feature, example])
            high = np.float64(values[feature, order[feature, place + 1]])
            if low < high:
                if_low = of_class[1] - below[1] + below[0]
                if_high = of_class[0] - below[0] + below[1]
                halfway = low + (high - low) / 2
                threshold = halfway if halfway > low else high
                if if_low < errors[0, feature]:
                    errors[0, feature], thresholds[0, feature] = if_low, threshold
                if if_high < errors[1, feature]:
                    errors[1, feature], thresholds[1, feature] = if_high, threshold
