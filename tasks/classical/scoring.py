"""Asking a fitted classical model how likely each candidate is a lesion; train and detect ask in the same way.

A forest's vote and a balanced regression's output are no probabilities, and those of two models cannot be compared.
*Platt scaling* turns them into ones: ``p = 1 / (1 + exp(-(slope * logit(score) + intercept)))``, fitted on scores of
candidates that the model had not seen (Platt 1999; Niculescu-Mizil & Caruana 2005, doi:10.1145/1102351.1102430). The
order stays.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.optimize import minimize
from scipy.special import expit, logit
from sklearn.pipeline import Pipeline

from tasks.classical.steps import inputs_of

FloatArray = npt.NDArray[np.float64]

CLOSEST = 1e-3
"""A score of 0 or 1 is taken as this far from it: a few hundred trees cannot tell better."""


@dataclass(frozen=True)
class Calibration:
    """Platt scaling; slope 1 and intercept 0 leave scores as they are."""

    slope: float = 1.0
    intercept: float = 0.0

    def __call__(self, scores: FloatArray) -> FloatArray:
        """Calibrated probabilities, shape as given."""
        return np.asarray(expit(self.slope * logit(np.clip(scores, CLOSEST, 1 - CLOSEST)) + self.intercept))


def fit_calibration(scores: FloatArray, positive: npt.NDArray[np.bool_]) -> Calibration:
    """Fit Platt scaling to out-of-fold scores ``(n,)`` and what the candidates are.

    The targets are smoothed as Platt does, so that few positives do not end in certainty. The slope stays at 0.05 or
    above, so that the order stays even where the scores said nothing.
    """
    x = logit(np.clip(scores, CLOSEST, 1 - CLOSEST))
    positives, negatives = int(positive.sum()), int((~positive).sum())
    target = np.where(positive, (positives + 1) / (positives + 2), 1 / (negatives + 2))

    def loss(parameters: FloatArray) -> float:
        z = parameters[0] * x + parameters[1]
        return float(np.sum(np.logaddexp(0, z) - target * z))

    slope, intercept = minimize(loss, np.asarray([1.0, 0.0]), method="L-BFGS-B", bounds=[(0.05, None), (None, None)]).x
    return Calibration(round(float(slope), 6), round(float(intercept), 6))


def probability(pipeline: Pipeline, features: pd.DataFrame, *, scanner: str | None = None) -> FloatArray:
    """Score of 'lesion' for each row before calibration, shape ``(n,)``; 0 from a model that never saw a lesion.

    ``scanner``: name of the scanner that all rows come from, for a model that harmonizes; ``None``: not known.
    """
    classes = list(pipeline.classes_)
    if features.empty or True not in classes:
        return np.zeros(len(features))
    inputs = inputs_of(pipeline, features.to_numpy(dtype=float), [scanner] * len(features))
    return np.asarray(pipeline.predict_proba(inputs)[:, classes.index(True)], dtype=float)
