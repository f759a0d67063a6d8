"""Free-response ROC: the share of lesions found against the false positives that a scan costs.

- *lesion score*: the highest score of the candidates that hit the lesion, ``-inf`` when none does.
- *sensitivity at x*: the highest share of lesions found by any threshold with at most x false positives per scan.
- *CPM*: competition performance metric, the mean sensitivity at 1/8, 1/4, 1/2, 1, 2, 4 and 8 false positives per scan.

LUNA16's script draws straight lines between operating points. Here the curve is a step: only thresholds that exist
count, so that a stated sensitivity can be had. Ours is never the higher one.

References
----------
Niemeijer et al. 2011, doi:10.1109/TMI.2010.2072789 (CPM); Setio et al. 2017 (LUNA16), doi:10.1016/j.media.2017.06.015
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tasks.metrics.intervals import patient_weights

FloatArray = npt.NDArray[np.float64]

CPM_RATES = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
"""False positives per scan at which the CPM reads the curve."""


@dataclass(frozen=True, order=True)
class PatientDetections:
    """What a detector said of all scans of one patient; scores ascending. Sorts by its values."""

    scans: int
    lesion_scores: tuple[float, ...]
    false_positive_scores: tuple[float, ...]


@dataclass(frozen=True)
class Froc:
    """The curve: (0, 0) at a threshold of ``inf``, then one point per distinct score from the highest down."""

    thresholds: tuple[float, ...]
    fp_per_scan: tuple[float, ...]
    sensitivity: tuple[float, ...]


def froc_curve(patients: Sequence[PatientDetections]) -> Froc:
    """FROC curve over all lesions and scans.

    Raises
    ------
    ValueError
        Without a lesion or without a scan, as the curve has no unit then.
    """
    lesions = _pooled(_lesions(patients))
    false_positives = _pooled(_false_positives(patients))
    scans = sum(p.scans for p in patients)
    if lesions.size == 0 or scans == 0:
        raise ValueError(f"an FROC curve needs lesions and scans; got {lesions.size} lesions in {scans} scans")
    scores = np.unique(np.concatenate([lesions[np.isfinite(lesions)], false_positives]))[::-1]
    thresholds = np.concatenate([[np.inf], scores])
    found = lesions.size - np.searchsorted(lesions, thresholds, side="left")
    wrong = false_positives.size - np.searchsorted(false_positives, thresholds, side="left")
    return Froc(tuple(thresholds.tolist()), tuple((wrong / scans).tolist()), tuple((found / lesions.size).tolist()))


def sensitivities(patients: Sequence[PatientDetections], rates: Sequence[float]) -> FloatArray:
    """Sensitivity at each rate of false positives per scan, shape ``(rates,)``; ``nan`` without a lesion."""
    return np.asarray(_sensitivities(sorted(patients), np.ones((1, len(patients))), rates)[0])


def sensitivity_draws(
    patients: Sequence[PatientDetections], rates: Sequence[float], *, draws: int, seed: int
) -> FloatArray:
    """Patient bootstrap of `sensitivities`, shape ``(draws, rates)``; ``nan`` where no lesion was drawn."""
    weights = patient_weights(len(patients), draws=draws, seed=seed).astype(float)
    return _sensitivities(sorted(patients), weights, rates)


def cpm(sensitivity: FloatArray) -> FloatArray:
    """Mean over the last axis, which holds the sensitivities at `CPM_RATES`."""
    if sensitivity.shape[-1] != len(CPM_RATES):
        raise ValueError(f"CPM needs the sensitivities at {CPM_RATES}; got {sensitivity.shape[-1]}")
    return np.asarray(sensitivity.mean(axis=-1))


def _sensitivities(patients: Sequence[PatientDetections], weights: FloatArray, rates: Sequence[float]) -> FloatArray:
    """Sensitivities (draws, rates) of patients weighted by (draws, patients).

    Sensitivity rises only where a threshold passes a lesion score, and at that score the false positives are fewest: no
    other threshold needs to be looked at.
    """
    scores = _pooled(_lesions(patients))
    thresholds = np.unique(scores[np.isfinite(scores)])[::-1]
    found = weights @ _at_least(_lesions(patients), thresholds)
    wrong = weights @ _at_least(_false_positives(patients), thresholds)
    lesions = weights @ np.array([len(p.lesion_scores) for p in patients], dtype=float)
    scans = weights @ np.array([p.scans for p in patients], dtype=float)
    best = np.zeros((len(weights), len(rates)))
    for j, rate in enumerate(rates):
        allowed = wrong <= rate * scans[:, None]
        best[:, j] = np.where(allowed, found, 0.0).max(axis=1, initial=0.0)
    with np.errstate(invalid="ignore"):
        return np.asarray(best / lesions[:, None])


def _lesions(patients: Sequence[PatientDetections]) -> list[tuple[float, ...]]:
    return [p.lesion_scores for p in patients]


def _false_positives(patients: Sequence[PatientDetections]) -> list[tuple[float, ...]]:
    return [p.false_positive_scores for p in patients]


def _at_least(scores: list[tuple[float, ...]], thresholds: FloatArray) -> FloatArray:
    """How many scores of each patient reach each threshold: shape ``(patients, thresholds)``."""
    counts = [len(row) - np.searchsorted(row, thresholds, side="left") for row in scores]
    return np.asarray(counts, dtype=float).reshape(len(scores), thresholds.size)


def _pooled(scores: list[tuple[float, ...]]) -> FloatArray:
    """All scores of all patients, ascending."""
    return np.sort(np.array([score for row in scores for score in row], dtype=float))
