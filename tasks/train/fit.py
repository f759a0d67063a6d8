"""Fitting on one set of patients: models compete by inner, patient-grouped cross-validation, and so does the threshold.

Nothing here knows a patient outside the set it is given. The *inner* folds give each training patient a score by a
model that never saw him (*out-of-fold*). From these scores come the calibration of each model, the choice between
models (CPM, then AUC) and the *operating point*: the lowest threshold that keeps the false positives per scan of the
training patients at what the study allows. What each inner fold selects among the features tells how steady the
selection is.

Models that look at patches compete too. They are fitted elsewhere (`tasks.train.patch_models`), on the same patients,
and come here with their scores from inner folds of their own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits

from storage.errors import CaseError
from tasks.classical.pipelines import (
    HARMONIZE,
    build_classifier,
    build_preparation,
    inputs_of,
    is_imputed,
    is_scaled,
    kept_columns,
)
from tasks.classical.scanner_harmonizer import ScannerHarmonizer
from tasks.classical.scoring import Calibration, fit_calibration, probability
from tasks.discover import MODELS, part
from tasks.imaging.consensus import consensus
from tasks.metrics.discrimination import auc, patient_scores
from tasks.metrics.froc import CPM_RATES, PatientDetections, cpm, sensitivities
from tasks.train.harmonized import Harmonization, describe_harmonization, fit_harmonizer, row_scanners
from tasks.train.importance import importance
from tasks.train.inner_folds import deal_inner_folds
from tasks.train.label import CandidateLabels
from tasks.train.selection import NO_SELECTION, BoolArray, Selection, describe_selection
from tasks.train.settings import MINIMUM_PATIENTS, Settings
from tasks.train.tuning import Trials, tuned

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class CaseTable:
    """One training case: features of its candidates, what the annotation says of them, how they overlap.

    ``scanner``: what its image was made with, where the study harmonizes; ``None``: not known.
    ``on_patches``: by the name of a model that looks at patches, its scores of the candidates, by one that did not know
    this patient.
    """

    patient: str
    digest: str
    features: pd.DataFrame
    labels: CandidateLabels
    volume_ml: FloatArray
    dice: npt.NDArray[np.float32]
    on_patches: Mapping[str, FloatArray] = field(default_factory=dict)
    scanner: str | None = None

    def positive(self, iou: float) -> BoolArray:
        """Candidates that teach 'lesion'."""
        return self.labels.placed & (self.labels.iou >= iou)


@dataclass(frozen=True, eq=False)
class Fitted:
    """The winner, fitted on all patients given, with its operating point and what the competition looked like.

    ``options`` are those of the winner, perhaps found by a search; ``trials`` all that was tried, by model; ``facts``
    what the winner says of itself; ``harmonization`` what it does about scanners, ``None`` where nothing is done.
    ``pipeline`` is ``None`` for one that looks at patches: it was fitted elsewhere.
    """

    model: str
    pipeline: Pipeline | None
    columns: tuple[str, ...]
    calibration: Calibration
    threshold: float
    scores: dict[str, dict[str, float]]
    importance: dict[str, float]
    selection: Selection
    options: dict[str, Any]
    trials: dict[str, list[dict[str, Any]]]
    facts: dict[str, Any]
    patients: int
    candidates: int
    positives: int
    harmonization: Harmonization | None = None


def fit(cases: Sequence[CaseTable], settings: Settings, *, most: int | None, workshop: Path | None = None) -> Fitted:
    """Choose a model and a threshold by inner cross-validation, then fit on all.

    Parameters
    ----------
    cases
        Training cases, at least two patients.
    most
        Most findings per case, as detect will keep them.
    workshop
        Folder in which a search for settings outlives a killed process; ``None``: nowhere.

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
    if not any(case.positive(settings.positive_iou).any() for case in cases):
        raise CaseError(
            f"none of the candidates of {len(cases)} training cases has an IoU of {settings.positive_iou} "
            "with a lesion; lower train.positive_iou or widen the candidates in [sample]"
        )
    with threadpool_limits(1):  # sums in another order are other sums
        settings, trials = tuned(settings, lambda tried: _fold_by_fold(cases, tried, most), workshop)
        return _compete(cases, settings, most, trials)


def _compete(cases: Sequence[CaseTable], settings: Settings, most: int | None, trials: Trials) -> Fitted:
    held_out = out_of_fold(cases, settings)
    on_patches = {name: [case.on_patches[name] for case in cases] for name in cases[0].on_patches}
    every = held_out.scores | on_patches
    calibrations = {name: _calibration(cases, raw, settings) for name, raw in every.items()}
    inner = {name: [calibrations[name](scores) for scores in raw] for name, raw in every.items()}
    scores = {name: _score(cases, predicted, settings, most) for name, predicted in inner.items()}
    names = [*settings.models, *on_patches]
    winner = max(names, key=lambda name: (scores[name]["cpm"], scores[name]["auc"], -names.index(name)))
    positive = [case.positive(settings.positive_iou) for case in cases]
    chosen = Fitted(
        model=winner,
        pipeline=None,
        columns=(),
        calibration=calibrations[winner],
        threshold=_operating_point(cases, inner[winner], settings, most),
        scores=scores,
        importance={},
        selection=NO_SELECTION,
        options=_options(winner, settings),
        trials={name: [record.model_dump(mode="json") for record in records] for name, records in trials.items()},
        facts={},
        patients=len({case.patient for case in cases}),
        candidates=sum(map(len, positive)),
        positives=int(sum(map(np.sum, positive))),
    )
    return chosen if winner in on_patches else _with_pipeline(chosen, cases, held_out.kept[winner], settings)


def _with_pipeline(chosen: Fitted, cases: Sequence[CaseTable], kept: Sequence[BoolArray], settings: Settings) -> Fitted:
    """The winner among the models on features, fitted on all cases."""
    pipeline = fit_pipelines(cases, (chosen.model,), settings)[chosen.model]
    columns = tuple(cases[0].features.columns)
    features, labels = _rows(cases, settings)
    inputs = inputs_of(pipeline, features, row_scanners(cases))
    return replace(
        chosen,
        pipeline=pipeline,
        columns=columns,
        importance=importance(pipeline, inputs, labels, columns, seed=settings.seed),
        selection=describe_selection(pipeline, columns, kept),
        facts=_facts(chosen.model, pipeline, columns),
        harmonization=_harmonization(pipeline, cases, settings),
    )


def _options(model: str, settings: Settings) -> dict[str, Any]:
    on_patches = {entry.model: entry.options for entry in settings.on_patches}
    return on_patches.get(model, settings.options.get(model, {}))


@dataclass(frozen=True, eq=False)
class HeldOut:
    """What models said of patients that they never saw.

    Attributes
    ----------
    scores
        By model: scores of the candidates, one array per case.
    kept
        By model: which features it was given in each inner fold, bool ``(columns,)``; without folds whose rows were of
        one class.
    """

    scores: dict[str, list[FloatArray]]
    kept: dict[str, list[BoolArray]]


def out_of_fold(cases: Sequence[CaseTable], settings: Settings) -> HeldOut:
    """Scores of every candidate by models that never saw its patient."""
    *_, (whole, _) = _held_out(cases, settings)
    return whole


def _held_out(cases: Sequence[CaseTable], settings: Settings) -> Iterator[tuple[HeldOut, list[int]]]:
    """The same after each inner fold, with the cases that are scored by then."""
    fold_of = _inner_folds(cases, settings)
    done: list[int] = []
    scores = {name: [np.zeros(len(case.features)) for case in cases] for name in settings.models}
    kept: dict[str, list[BoolArray]] = {name: [] for name in settings.models}
    for fold in sorted(set(fold_of)):
        training = [case for case, other in zip(cases, fold_of, strict=True) if other != fold]
        pipelines = fit_pipelines(training, settings.models, settings)
        for name, pipeline in pipelines.items():
            for index, case in enumerate(cases):
                if fold_of[index] == fold:
                    scores[name][index] = probability(pipeline, case.features, scanner=case.scanner)
            if len(pipeline.steps) > 1:  # no stand-in for a single class
                kept[name].append(kept_columns(pipeline, cases[0].features.shape[1]))
        done += [index for index, other in enumerate(fold_of) if other == fold]
        yield HeldOut(scores, kept), sorted(done)


def _fold_by_fold(cases: Sequence[CaseTable], settings: Settings, most: int | None) -> Iterator[float]:
    """How good the only model is on the cases held out so far: CPM and, where that is equal, AUC."""
    [name] = settings.models
    for held_out, done in _held_out(cases, settings):
        found = _score([cases[i] for i in done], [held_out.scores[name][i] for i in done], settings, most)
        yield found["cpm"] + found["auc"] / 1000


def fit_pipelines(cases: Sequence[CaseTable], models: Sequence[str], settings: Settings) -> dict[str, Pipeline]:
    """A fitted pipeline of each model. What comes before the models is fitted once for all that want the same."""
    features, labels = _rows(cases, settings)
    if labels.all() or not labels.any():  # one class only: nothing can be told apart
        from sklearn.dummy import DummyClassifier

        return {name: Pipeline([("classify", DummyClassifier())]).fit(features, labels) for name in models}
    first: list[tuple[str, ScannerHarmonizer]] = []
    if settings.harmonization is not None:
        first = [(HARMONIZE, fit_harmonizer(cases, features, settings.harmonization))]
        features = first[0][1].transform(first[0][1].with_scanners(features, row_scanners(cases)))
    shared: dict[tuple[bool, bool], tuple[Pipeline, FloatArray]] = {}
    fitted = {}
    for name in models:
        wants = is_scaled(name, settings.selection), is_imputed(name)
        if wants not in shared:
            scaled, imputed = wants
            before = build_preparation(settings.selection, scaled=scaled, imputed=imputed, seed=settings.seed)
            shared[wants] = before, before.fit_transform(features, labels)
        before, prepared = shared[wants]
        options = settings.options.get(name, {})
        classifier = build_classifier(name, options, columns=features.shape[1], seed=settings.seed)
        fitted[name] = Pipeline([*first, *before.steps, ("classify", classifier.fit(prepared, labels))])
    return fitted


def _harmonization(pipeline: Pipeline, cases: Sequence[CaseTable], settings: Settings) -> Harmonization | None:
    if settings.harmonization is None:
        return None
    positive = [case.positive(settings.positive_iou) for case in cases]
    return describe_harmonization(pipeline, cases, positive, settings.harmonization)


def _facts(model: str, pipeline: Pipeline, columns: Sequence[str]) -> dict[str, Any]:
    """What a model has to say of itself beside its scores: its graph, its clusters; most have nothing."""
    tell = getattr(part(MODELS, model), "facts", None)
    if tell is None or len(pipeline.steps) == 1:  # the stand-in for a single class
        return {}
    kept = kept_columns(pipeline, len(columns))
    told: dict[str, Any] = tell(pipeline.named_steps["classify"], [columns[i] for i in np.flatnonzero(kept).tolist()])
    return told


def _rows(cases: Sequence[CaseTable], settings: Settings) -> tuple[FloatArray, BoolArray]:
    """Features of all candidates ``(rows, columns)``, and which of them teach 'lesion'."""
    features = np.concatenate([case.features.to_numpy(dtype=float) for case in cases])
    return features, np.concatenate([case.positive(settings.positive_iou) for case in cases])


def _calibration(cases: Sequence[CaseTable], scores: Sequence[FloatArray], settings: Settings) -> Calibration:
    positive = np.concatenate([case.positive(settings.positive_iou) for case in cases])
    return fit_calibration(np.concatenate(scores), positive)


def _inner_folds(cases: Sequence[CaseTable], settings: Settings) -> list[int]:
    return deal_inner_folds(
        [case.patient for case in cases],
        [case.digest for case in cases],
        [bool(case.labels.lesions) for case in cases],
        count=settings.inner_folds,
        seed=settings.seed,
    )


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
