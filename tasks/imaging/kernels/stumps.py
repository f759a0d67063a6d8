"""The best threshold of each of many features, for weighted examples of two classes."""

from __future__ import annotations

import numpy as np
from numba import njit

from tasks.imaging.step import Array


@njit(cache=True, nogil=True)
def best_stumps(
    values: Array, order: Array, signed: Array, gains: Array, thresholds: Array, start: int, stop: int
) -> None:
    """What the best threshold of each of the features ``start … stop`` gains, and where it lies.

    The weighted error of taking low values for the positive class is the weight of that class less the sum of signed
    weights below the threshold; of taking high values for it, the weight of the other class plus that sum. So the
    largest and the smallest sum are looked for.

    Parameters
    ----------
    values
        ``(m, n)`` of a feature's values side by side, finite.
    order
        int32 ``(m, n)``: examples by ascending value.
    signed
        float64 ``(n,)``: weights, negative for examples that are not of the positive class.
    gains
        float64 ``(2, m)``, filled: the largest sum below a threshold, and the smallest one with its sign turned; minus
        infinity where all values are equal.
    thresholds
        float64 ``(2, m)``, filled: halfway between two values that follow each other; the lowest of equal ones.
    """
    for feature in range(start, stop):
        row, places = values[feature], order[feature]
        below, most, least = 0.0, -np.inf, np.inf
        for place in range(len(places) - 1):
            below += signed[places[place]]
            # Values are looked at where it matters, which is seldom.
            if below > most or below < least:
                low, high = np.float64(row[places[place]]), np.float64(row[places[place + 1]])
                if low < high:
                    halfway = low + (high - low) / 2
                    threshold = halfway if halfway > low else high
                    if below > most:
                        most, thresholds[0, feature] = below, threshold
                    if below < least:
                        least, thresholds[1, feature] = below, threshold
        gains[0, feature], gains[1, feature] = most, -least
