"""Harmonizing the candidates of training cases between scanners, and what is said of it afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.pipeline import Pipeline

from storage.errors import CaseError
from tasks.classical.harmonization import HarmonizationSettings
from tasks.classical.scanner_harmonizer import ScannerHarmonizer
from tasks.classical.steps import HARMONIZE
from tasks.metrics.association import cramers_v
from tasks.train.case_table import BoolArray, CaseTable, FloatArray


@dataclass(frozen=True)
class Scanner:
    """One scanner of the training patients, and how many of their features are corrected on it; 0: left as it is."""

    name: str
    patients: int
    features: int


@dataclass(frozen=True)
class Harmonization:
    """What a model says of its harmonization.

    Attributes
    ----------
    by
        What tells scanners apart, as in the settings.
    scanners
        By name.
    reference
        The one that all others are brought to, and that stays as it is; ``None``: to the mean.
    unnamed
        Training patients whose images do not name a scanner: left as they are.
    goes_with_lesions
        How strongly the scanner goes together with having a candidate that teaches 'lesion', over patients
        (:mod:`tasks.metrics.association`): at 1 harmonization takes away what a lesion is. ``None``: one scanner, or
        all patients alike.
    goes_with_candidates
        The same with being such a candidate: each patient's candidates count as one patient together.
    """

    by: str
    scanners: tuple[Scanner, ...]
    reference: str | None
    unnamed: int
    goes_with_lesions: float | None
    goes_with_candidates: float | None


def row_scanners(cases: Sequence[CaseTable]) -> list[str | None]:
    """The scanner of each candidate, ``(rows,)``."""
    return [case.scanner for case in cases for _ in range(len(case.features))]


def fit_harmonizer(
    cases: Sequence[CaseTable], features: FloatArray, settings: HarmonizationSettings
) -> ScannerHarmonizer:
    """The harmonizer of these cases, whose candidates are the rows ``(rows, columns)``.

    Raises
    ------
    CaseError
        When too few of the patients come from the scanner that all others are brought to.
    ValueError
        A feature to preserve is no column.
    """
    names = sorted({case.scanner for case in cases if case.scanner is not None})
    there = len({case.patient for case in cases if case.scanner == settings.reference})
    if settings.reference is not None and there < settings.fewest:
        raise CaseError(
            f"the reference scanner of train.harmonization has {there} training patients; expected at least "
            f"{settings.fewest}; scanners are: {', '.join(names) or 'none'}"
        )
    harmonizer = settings.build(names, list(cases[0].features.columns))
    patients = np.unique([case.patient for case in cases for _ in range(len(case.features))], return_inverse=True)[1]
    return harmonizer.fit(harmonizer.with_scanners(features, row_scanners(cases)), patients=patients)


def describe_harmonization(
    pipeline: Pipeline, cases: Sequence[CaseTable], positive: Sequence[BoolArray], settings: HarmonizationSettings
) -> Harmonization | None:
    """What a fitted pipeline does about the scanners of its training cases; ``None`` where it does nothing.

    ``positive``: which candidates of each case teach 'lesion'.
    """
    harmonizer: ScannerHarmonizer | None = pipeline.named_steps.get(HARMONIZE)
    if harmonizer is None:
        return None
    every = {case.patient for case in cases}
    named = {case.patient for case in cases if case.scanner is not None}
    by_patient, by_candidate = _tables(harmonizer.scanners, cases, positive)
    return Harmonization(
        by=settings.by,
        scanners=tuple(
            Scanner(name, int(by_patient[code].sum()), int(harmonizer.corrected_[code].sum()))
            for code, name in enumerate(harmonizer.scanners)
        ),
        reference=settings.reference,
        unnamed=len(every - named),
        goes_with_lesions=_rounded(cramers_v(by_patient)),
        goes_with_candidates=_rounded(cramers_v(by_candidate)),
    )


def _tables(
    scanners: Sequence[str], cases: Sequence[CaseTable], positive: Sequence[BoolArray]
) -> tuple[FloatArray, FloatArray]:
    """Patients by scanner and label ``(scanners, 2)``: who has a lesion; and in parts, by what their candidates are."""
    by_patient, by_candidate = np.zeros((len(scanners), 2)), np.zeros((len(scanners), 2))
    for code, name in enumerate(scanners):
        for patient in sorted({case.patient for case in cases if case.scanner == name}):
            own = [
                labels
                for case, labels in zip(cases, positive, strict=True)
                if (case.patient, case.scanner) == (patient, name)
            ]
            labels = np.concatenate(own)
            by_patient[code, int(labels.any())] += 1
            if len(labels):
                by_candidate[code] += 1 - labels.mean(), labels.mean()
    return by_patient, by_candidate


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
