"""Pipelines fitted on some training cases, and what such say of the cases that they never saw."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.pipeline import Pipeline

from tasks.classical.pipelines import build_classifier, build_preparation, is_imputed, is_scaled
from tasks.classical.scanner_harmonizer import ScannerHarmonizer
from tasks.classical.scoring import probability
from tasks.classical.steps import HARMONIZE, kept_columns
from tasks.train.case_table import BoolArray, CaseTable, FloatArray, rows_of
from tasks.train.harmonized import fit_harmonizer, row_scanners
from tasks.train.inner_folds import deal_inner_folds
from tasks.train.settings import Settings


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
    *_, (whole, _) = scored_by_fold(cases, settings)
    return whole


def scored_by_fold(cases: Sequence[CaseTable], settings: Settings) -> Iterator[tuple[HeldOut, list[int]]]:
    """The same after each inner fold, with the cases that are scored by then."""
    fold_of = inner_folds_of(cases, settings)
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


def fit_pipelines(cases: Sequence[CaseTable], models: Sequence[str], settings: Settings) -> dict[str, Pipeline]:
    """A fitted pipeline of each model. What comes before the models is fitted once for all that want the same."""
    features, labels = rows_of(cases, settings.positive_iou)
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


def inner_folds_of(cases: Sequence[CaseTable], settings: Settings) -> list[int]:
    """The inner fold of each case; cases of one patient are in one fold."""
    return deal_inner_folds(
        [case.patient for case in cases],
        [case.digest for case in cases],
        [bool(case.labels.lesions) for case in cases],
        count=settings.inner_folds,
        seed=settings.seed,
    )
