"""One measure of a cohort at a time: a value, its interval over patients, and how the interval was made.

A measure takes the matches grouped by patient, so that the patient is the unit of every interval.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from pydantic import BaseModel, ConfigDict

from tasks.evaluate.settings import Settings
from tasks.evaluate.verdicts import CaseMatch, LesionMatch
from tasks.metrics.discrimination import auc, auc_interval, patient_scores
from tasks.metrics.froc import Froc, PatientDetections, froc_curve, sensitivities, sensitivity_draws
from tasks.metrics.intervals import (
    Interval,
    bounded_interval,
    clopper_pearson,
    mean_draws,
    rate_interval,
    ratio_draws,
)

Patients = Sequence[Sequence[CaseMatch]]
"""The cases of each patient."""


class Estimate(BaseModel):
    """A value with its interval over `n` patients; ``None`` where it is not defined."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    value: float | None
    low: float | None
    high: float | None
    n: int


class Measured(NamedTuple):
    """An estimate and the words on its interval."""

    estimate: Estimate
    method: str


Measure = Callable[[Patients, Settings], Measured]


def group_patients(matches: Sequence[CaseMatch]) -> Patients:
    """Cases by patient.

    Raises
    ------
    ValueError
        When a case is given twice.
    """
    if len({match.case for match in matches}) != len(matches):
        raise ValueError(f"expected every case once; got {len(matches)} matches of fewer cases")
    patients: dict[str, list[CaseMatch]] = {}
    for match in matches:
        patients.setdefault(match.patient, []).append(match)
    return list(patients.values())


def lesions_of(cases: Sequence[CaseMatch]) -> list[LesionMatch]:
    """All lesions of one patient."""
    return [lesion for case in cases for lesion in case.lesions]


def patient_is_hit(cases: Sequence[CaseMatch], criterion: Callable[[LesionMatch], bool]) -> bool:
    """Whether at least one lesion of the patient meets the criterion."""
    return any(criterion(lesion) for lesion in lesions_of(cases))


def patient_dice(cases: Sequence[CaseMatch]) -> float:
    """Mean over the patient's lesions of the Dice of each with its best single finding."""
    dices = [lesion.dice for lesion in lesions_of(cases)]
    return math.fsum(dices) / len(dices)


def hit_measure(criterion: Callable[[LesionMatch], bool]) -> Measure:
    """Patients with at least one lesion that meets the criterion, of those with a lesion."""

    def measure(patients: Patients, settings: Settings) -> Measured:
        diseased = [cases for cases in patients if lesions_of(cases)]
        if not diseased:
            return _undefined(0, "no patient has a lesion")
        hits = sum(patient_is_hit(cases, criterion) for cases in diseased)
        interval = clopper_pearson(hits, len(diseased), level=settings.level)
        return _measured(hits / len(diseased), interval, len(diseased))

    return measure


def dice_measure(patients: Patients, settings: Settings) -> Measured:
    """Mean of `patient_dice` over the patients with a lesion."""
    values = np.sort([patient_dice(cases) for cases in patients if lesions_of(cases)])
    if values.size == 0:
        return _undefined(0, "no patient has a lesion")
    mean = float(values.mean())
    draws = mean_draws(values, draws=settings.bootstrap_draws, seed=settings.seed)
    return _measured(mean, bounded_interval(draws, value=mean, n=values.size, level=settings.level), values.size)


def sensitivity_measure(rates: Sequence[float]) -> Measure:
    """Share of all lesions found, averaged over these rates of false positives per scan."""

    def measure(patients: Patients, settings: Settings) -> Measured:
        detections = [_detections(cases) for cases in patients]
        diseased = sum(1 for patient in detections if patient.lesion_scores)
        if not diseased:
            return _undefined(len(detections), "no patient has a lesion")
        value = float(sensitivities(detections, rates).mean())
        draws = sensitivity_draws(detections, rates, draws=settings.bootstrap_draws, seed=settings.seed).mean(axis=1)
        interval = bounded_interval(draws, value=value, n=diseased, level=settings.level)
        return _measured(value, interval, len(detections))

    return measure


def auc_measure(patients: Patients, settings: Settings) -> Measured:
    """Area under the ROC curve of the scored regions of analysed cases; positive are those that hit."""
    scores = [
        patient_scores([r.score for r in regions], [r.verdict == "hit" for r in regions])
        for cases in patients
        if (regions := [region for case in cases for region in case.regions])
    ]
    interval = auc_interval(scores, draws=settings.bootstrap_draws, seed=settings.seed, level=settings.level)
    if interval is None:
        return _undefined(len(scores), "it needs regions that hit and regions that do not")
    return _measured(auc(scores), interval, len(scores))


def false_positive_measure(exposure: Callable[[CaseMatch], float]) -> Measure:
    """Accepted false positives of analysed cases, per scan or per litre of body."""

    def measure(patients: Patients, settings: Settings) -> Measured:
        scanned = _analysed(patients)
        events = [sum(_accepted_false_positives(case) for case in cases) for cases in scanned]
        exposures = [math.fsum(exposure(case) for case in cases) for cases in scanned]
        total, seen = sum(events), math.fsum(exposures)
        if not seen > 0:
            return _undefined(len(scanned), "nothing was scanned")
        draws = ratio_draws(events, exposures, draws=settings.bootstrap_draws, seed=settings.seed)
        return _measured(
            total / seen, rate_interval(draws, events=total, exposure=seen, level=settings.level), len(scanned)
        )

    return measure


def froc(matches: Sequence[CaseMatch]) -> Froc | None:
    """The curve for a plot; ``None`` without a lesion or without an analysed case."""
    detections = [_detections(cases) for cases in group_patients(matches)]
    if not any(p.lesion_scores for p in detections) or not any(p.scans for p in detections):
        return None
    return froc_curve(detections)


def _detections(cases: Sequence[CaseMatch]) -> PatientDetections:
    """One patient for the FROC curve: every scored region counts, whether or not it was accepted."""
    return PatientDetections(
        scans=sum(case.analysed for case in cases),
        lesion_scores=tuple(sorted(-math.inf if m.score is None else m.score for m in lesions_of(cases))),
        false_positive_scores=tuple(
            sorted(r.score for case in cases for r in case.regions if r.verdict == "false_positive")
        ),
    )


def _accepted_false_positives(case: CaseMatch) -> int:
    return sum(region.accepted and region.verdict == "false_positive" for region in case.regions)


def _analysed(patients: Patients) -> Patients:
    """Only the cases that were scanned for findings, and the patients who have one."""
    kept = [[case for case in cases if case.analysed] for cases in patients]
    return [cases for cases in kept if cases]


def _measured(value: float, interval: Interval, n: int) -> Measured:
    return Measured(Estimate(value=value, low=interval.low, high=interval.high, n=n), interval.method)


def _undefined(n: int, reason: str) -> Measured:
    return Measured(Estimate(value=None, low=None, high=None, n=n), f"none, as {reason}")
