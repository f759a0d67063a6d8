"""Fitting on one set of patients: models compete by inner, patient-grouped cross-validation, and so does the threshold.

Nothing here knows a patient outside the set it is given. The *inner* folds give each training patient a score by a
model that never saw him (*out-of-fold*). From these scores come the calibration of each model, the choice between
models (CPM, then AUC) and the *operating point*: the lowest threshold that keeps the false positives per scan of the
training patients at what the study allows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.pipeline import Pipeline

from storage.errors import CaseError
from storage.keys import digest
from tasks.discover import MODELS, part
from tasks.imaging.consensus import consensus
from tasks.metrics.discrimination import auc, patient_scores
from tasks.metrics.froc import CPM_RATES, PatientDetections, cpm, sensitivities
from tasks.scoring import Calibration, fit_calibration, probability
from tasks.train.label import CandidateLabels
from tasks.train.settings import MINIMUM_PATIENTS, Settings

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class CaseTable:
    """One training case: features of its candidates, what the annotation says of them, how they overlap."""

    patient: str
    digest: str
    features: pd.DataFrame
    labels: CandidateLabels
    volume_ml: FloatArray
    dice: npt.NDArray[np.float32]

    def positive(self, iou: float) -> npt.NDArray[np.bool_]:
        """Candidates that teach 'lesion'."""
        return self.labels.placed & (self.labels.iou >= iou)


@dataclass(frozen=True, eq=False)
class Fitted:
    """The winner, fitted on all patients given, with its operating point and what the competition looked like."""

    model: str
    pipeline: Pipeline
    columns: tuple[str, ...]
    calibration: Calibration
    threshold: float
    scores: dict[str, dict[str, float]]
    importance: dict[str, float]
    patients: int
    candidates: int
    positives: int


def fit(cases: Sequence[CaseTable], settings: Settings, *, most: int | None) -> Fitted:
    """Choose a model and a threshold by inner cross-validation, then fit on all.

    Parameters
    ----------
    cases
        Training cases, at least two patients.
    most
        Most findings per case, as detect will keep them.

    Raises
    ------
    CaseError
        When no candidate is good enough to teach 'lesion': these cases cannot train a model.
    ValueError
        With fewer than two patients.
    """
    cases = sorted(cases, key=lambda case: case.digest)
    patients = len({case.patient for case in cases})
    if patients < MINIMUM_PATIENTS:
        raise ValueError(f"training needs at least {MINIMUM_PATIENTS} patients; got {patients}")
    positives = sum(int(case.positive(settings.positive_iou).sum()) for case in cases)
    if positives == 0:
        raise CaseError(
            f"none of the candidates of {len(cases)} training cases has an IoU of {settings.positive_iou} "
            "with a lesion; lower train.positive_iou or widen the candidates in [sample]"
        )
    raw = {name: out_of_fold(cases, name, settings) for name in settings.models}
    calibrations = {name: _calibration(cases, predicted, settings) for name, predicted in raw.items()}
    inner = {name: [calibrations[name](scores) for scores in predicted] for name, predicted in raw.items()}
    scores = {name: _score(cases, predicted, settings, most) for name, predicted in inner.items()}
    winner = max(
        settings.models, key=lambda name: (scores[name]["cpm"], scores[name]["auc"], -settings.models.index(name))
    )
    pipeline = _fitted(cases, winner, settings)
    columns = tuple(cases[0].features.columns)
    return Fitted(
        model=winner,
        pipeline=pipeline,
        columns=columns,
        calibration=calibrations[winner],
        threshold=_operating_point(cases, inner[winner], settings, most),
        scores=scores,
        importance=_importance(pipeline, columns),
        patients=patients,
        candidates=sum(len(case.features) for case in cases),
        positives=positives,
    )


def out_of_fold(cases: Sequence[CaseTable], model: str, settings: Settings) -> list[FloatArray]:
    """Scores of every candidate by a model that never saw its patient, one array per case."""
    fold_of = _inner_folds(cases, settings)
    scores: list[FloatArray] = [np.zeros(len(case.features)) for case in cases]
    for fold in sorted(set(fold_of)):
        pipeline = _fitted([case for case, other in zip(cases, fold_of, strict=True) if other != fold], model, settings)
        for index, case in enumerate(cases):
            if fold_of[index] == fold:
                scores[index] = probability(pipeline, case.features)
    return scores


def _calibration(cases: Sequence[CaseTable], scores: Sequence[FloatArray], settings: Settings) -> Calibration:
    positive = np.concatenate([case.positive(settings.positive_iou) for case in cases])
    return fit_calibration(np.concatenate(scores), positive)


def _fitted(cases: Sequence[CaseTable], model: str, settings: Settings) -> Pipeline:
    features = np.concatenate([case.features.to_numpy(dtype=float) for case in cases])
    labels = np.concatenate([case.positive(settings.positive_iou) for case in cases])
    if labels.all() or not labels.any():  # one class only: nothing can be told apart
        from sklearn.dummy import DummyClassifier

        return Pipeline([("classify", DummyClassifier())]).fit(features, labels)
    pipeline: Pipeline = part(MODELS, model).build(settings.of(model), columns=features.shape[1], seed=settings.seed)
    return pipeline.fit(features, labels)


def _inner_folds(cases: Sequence[CaseTable], settings: Settings) -> list[int]:
    """Inner fold of each case; patients with lesions are dealt first, in an order of digests and the seed."""
    first = {case.patient: case for case in reversed(cases)}
    lesions = {patient: any(c.labels.lesions for c in cases if c.patient == patient) for patient in first}
    dealt = sorted(
        first, key=lambda patient: (not lesions[patient], digest([first[patient].digest, settings.seed, "inner"]))
    )
    count = min(settings.inner_folds, len(dealt))
    fold = {patient: position % count for position, patient in enumerate(dealt)}
    return [fold[case.patient] for case in cases]


def _score(
    cases: Sequence[CaseTable], scores: Sequence[FloatArray], settings: Settings, most: int | None
) -> dict[str, float]:
    detections = [_detections(case, score, settings, most) for case, score in zip(cases, scores, strict=True)]
    ranked = [
        patient_scores(score, case.positive(settings.positive_iou)) for case, score in zip(cases, scores, strict=True)
    ]
    return {
        "cpm": round(float(cpm(np.nan_to_num(sensitivities(detections, CPM_RATES)))), 6),
        "auc": round(float(np.nan_to_num(auc(ranked))), 6),
    }


def _detections(case: CaseTable, scores: FloatArray, settings: Settings, most: int | None) -> PatientDetections:
    """What detect would say of a case with these scores."""
    labels = case.labels
    best = dict.fromkeys(range(1, labels.lesions + 1), -np.inf)
    wrong = []
    for index, score, _ in consensus(scores, case.dice, most=most):
        if labels.placed[index] and labels.iou[index] >= settings.hit_iou:
            lesion = int(labels.lesion[index])
            best[lesion] = max(best[lesion], score)
        elif labels.lesion[index] == 0 and case.volume_ml[index] >= settings.false_positive_ml:
            wrong.append(score)
    return PatientDetections(1, tuple(sorted(best.values())), tuple(sorted(wrong)))


def _operating_point(
    cases: Sequence[CaseTable], scores: Sequence[FloatArray], settings: Settings, most: int | None
) -> float:
    """The lowest threshold that allows as many false positives as the study does; findings lie above it."""
    detections = [_detections(case, score, settings, most) for case, score in zip(cases, scores, strict=True)]
    wrong = sorted((score for one in detections for score in one.false_positive_scores), reverse=True)
    allowed = int(settings.fp_per_scan * len(cases))
    return 0.0 if len(wrong) <= allowed else wrong[allowed]


def _importance(pipeline: Pipeline, columns: Sequence[str]) -> dict[str, float]:
    """What the model leans on, largest first: impurity decrease of a forest, weight of a linear model."""
    classifier = pipeline.named_steps["classify"]
    values = getattr(classifier, "feature_importances_", None)
    if values is None and hasattr(classifier, "coef_"):
        values = np.abs(classifier.coef_[0])
    if values is None:
        return {}
    names = list(columns)
    for step in ("vary", "select"):
        if step in pipeline.named_steps:
            names = [name for name, kept in zip(names, pipeline.named_steps[step].get_support(), strict=True) if kept]
    ranked = sorted(zip(names, np.asarray(values, dtype=float), strict=True), key=lambda pair: (-pair[1], pair[0]))
    return {name: round(float(value), 6) for name, value in ranked}
