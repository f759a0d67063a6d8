"""How sure a model of classes may be: one temperature for all of its logits (Guo et al. 2017, arXiv:1706.04599)."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


def fit_temperature(logits: FloatArray, labels: IntArray) -> float:
    """The temperature that makes the labels ``(n,)`` of logits ``(n, classes)`` most likely; 1 without any logits.

    Smoothed as Platt does (1999): as if one more picture had been seen, of which nobody knows the class. So pictures
    that are all right, and few, do not end in certainty. It stays within 0.05 and 20.
    """
    from scipy.optimize import minimize_scalar
    from scipy.special import log_softmax

    if not len(labels):
        return 1.0
    count, classes = logits.shape
    target = (count * np.eye(classes)[labels] + 1 / classes) / (count + 1)

    def loss(log_temperature: float) -> float:
        return -float((target * log_softmax(logits / math.exp(log_temperature), axis=1)).sum())

    found = minimize_scalar(loss, bounds=(math.log(0.05), math.log(20)), method="bounded")
    return round(math.exp(float(found.x)), 6)
