"""How well scores separate two classes: the area under the ROC curve, with patients as the unit of resampling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tasks.metrics.intervals import Interval, bounded_interval, patient_weights

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, order=True)
class PatientScores:
    """Scores of one patient's positive and of his negative candidates, each ascending. Sorts by its values."""

    positive: tuple[float, ...]
    negative: tuple[float, ...]


def patient_scores(scores: npt.ArrayLike, positive: npt.ArrayLike) -> PatientScores:
    """One patient's candidates, from scores (n,) and flags (n,)."""
    values, flags = np.asarray(scores, dtype=float), np.asarray(positive, dtype=bool)
    if values.shape != flags.shape:
        raise ValueError(f"expected one flag per score; got {flags.shape} and {values.shape}")
    return PatientScores(tuple(np.sort(values[flags]).tolist()), tuple(np.sort(values[~flags]).tolist()))


def auc(patients: Sequence[PatientScores]) -> float:
    """Chance that a positive scores above a negative, ties counting half, over all candidates of all patients.

    ``nan`` when one of the classes is absent.

    References
    ----------
    Hanley & McNeil 1982, doi:10.1148/radiology.143.1.7063747
    """
    wins, positives, negatives = _pairs(patients)
    pairs = positives.sum() * negatives.sum()
    return float(wins.sum() / pairs) if pairs else float("nan")


def auc_interval(patients: Sequence[PatientScores], *, draws: int, seed: int, level: float = 0.95) -> Interval | None:
    """Patient-bootstrap interval of `auc`, ``None`` where that is not defined.

    Where every draw gives the same value, the bound is the exact one for as many independent pairs as can be formed:
    the number of patients with a positive, or with a negative, whichever is smaller.
    """
    wins, positives, negatives = _pairs(patients)
    if not positives.any() or not negatives.any():
        return None
    weights = patient_weights(len(patients), draws=draws, seed=seed).astype(float)
    with np.errstate(invalid="ignore"):
        values = ((weights @ wins) * weights).sum(axis=1) / ((weights @ positives) * (weights @ negatives))
    pairs = min(np.count_nonzero(positives), np.count_nonzero(negatives))
    return bounded_interval(values, value=auc(patients), n=int(pairs), level=level)


def _pairs(patients: Sequence[PatientScores]) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Wins of patient i's positives over patient j's negatives (patients, patients), and both counts (patients,)."""
    ordered = sorted(patients)
    positives = np.array([len(p.positive) for p in ordered], dtype=float)
    negatives = np.array([len(p.negative) for p in ordered], dtype=float)
    scores = np.array([score for p in ordered for score in p.positive])
    owner = np.repeat(np.arange(len(ordered)), positives.astype(int))
    wins = np.zeros((len(ordered), len(ordered)))
    for j, patient in enumerate(ordered):
        below = np.searchsorted(patient.negative, scores, side="left") + np.searchsorted(
            patient.negative, scores, side="right"
        )
        wins[:, j] = np.bincount(owner, weights=below / 2.0, minlength=len(ordered))
    return wins, positives, negatives
