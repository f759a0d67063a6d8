"""The evaluation of classified pictures: metrics, plain rules on the same folds, and the paired differences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tasks.evaluate.picture_baselines import MINIMUM_FOLDS, PICTURE_BASELINES, run_picture_baselines
from tasks.evaluate.picture_settings import Settings
from tasks.metrics.classification import (
    EXCLUDED,
    Estimate,
    Predictions,
    accuracy,
    accuracy_difference,
    balanced_accuracy,
    confusion_matrix,
    macro_auc,
)

METRICS = {"accuracy": accuracy, "balanced_accuracy": balanced_accuracy, "auc": macro_auc}
RULES = {
    "accuracy": "pictures with the annotated class predicted",
    "balanced_accuracy": "mean over the classes of the pictures of it that are predicted so",
    "auc": "mean over the classes of the AUC of one against the rest",
}
SAYS = {
    "size_and_border": "random forest on the size of the picture as it came, its outermost pixels and corners",
    "first_order_logistic": "logistic regression on grey value statistics of the framed picture",
    "wavelet_svm": "SVM on sub-bands of a wavelet (Haar's, if no other is set) in blocks of the framed picture",
    "hog_svm": "SVM on histograms of oriented gradients of the framed picture",
    "majority": "the most frequent class",
}


@dataclass(frozen=True)
class Classified:
    """A picture with its annotated class and what a model that never saw it says.

    ``group`` names what belongs together; ``fold`` is ``None`` for a picture that is in none. A picture that was lost
    on the way has no ``probabilities``. ``members``: what each of several models says that answer together.
    """

    case: str
    digest: str
    truth: str
    probabilities: dict[str, float] | None
    group: str
    fold: int | None
    members: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


def score_pictures(
    pictures: Sequence[Classified], *, classes: Sequence[str], feature_files: Sequence[Path], settings: Settings
) -> dict[str, Any]:
    """Everything that ``evaluation.json`` holds; empty tables when there is no picture.

    Parameters
    ----------
    pictures
        Those whose class is annotated, lost ones too: these count as wrong over what was received.
    classes
        Names in the order of the models' outputs. A picture of any other class counts as wrong.
    feature_files
        Tables of hand-made features, for the plain rules; none of them are run without.
    """
    ordered = sorted(pictures, key=lambda one: one.digest)
    if not ordered:
        return {"metrics": {}, "models": {}, "baselines": {}, "differences": [], "says": {}, "confusion": []}
    names = [*classes, *sorted({one.truth for one in ordered} - set(classes))]
    ours = _predictions([one.probabilities for one in ordered], ordered, names)
    members = {
        name: _predictions([one.members.get(name) for one in ordered], ordered, names)
        for name in dict.fromkeys(name for one in ordered for name in one.members)
    }
    theirs = _baselines(ordered, names, len(classes), feature_files, settings) if feature_files else {}
    metrics = {}
    for name, estimate in _estimates(ours, settings).items():
        inner = ours.analysed()
        analysed = _estimates(inner, settings)[name] if inner else None
        method = estimate.interval.method if estimate.interval else "no interval"
        rule = f"{RULES[name]}; {estimate.pictures} pictures in {estimate.groups} groups; 95% interval: {method}"
        metrics[name] = {**_record(estimate), "rule": rule, "analysed": _record(analysed) if analysed else None}
    return {
        "metrics": metrics,
        "models": {name: _records(predictions, settings) for name, predictions in members.items()},
        "baselines": {rule: _records(predictions, settings) for rule, predictions in theirs.items()},
        "differences": [
            _difference(rule, ours, predictions, settings) for rule, predictions in {**members, **theirs}.items()
        ],
        "says": {rule: SAYS[rule] for rule in theirs},
        "confusion": confusion_matrix(ours)[:, : len(names)].tolist(),
    }


def _predictions(
    said: Sequence[Mapping[str, float] | None], pictures: Sequence[Classified], names: Sequence[str]
) -> Predictions:
    probability = np.array([[(one or {}).get(name, 0.0) for name in names] for one in said], dtype=float)
    known = np.array([one is not None for one in said])
    return Predictions(
        truth=np.array([names.index(one.truth) for one in pictures]),
        predicted=np.where(known, probability.argmax(axis=1), EXCLUDED),
        probability=probability,
        groups=[one.group for one in pictures],
    )


def _baselines(
    pictures: Sequence[Classified],
    names: Sequence[str],
    classes: int,
    feature_files: Sequence[Path],
    settings: Settings,
) -> dict[str, Predictions]:
    """The plain rules on the same folds; a picture without features, or in no fold, is excluded for them too.

    ``classes``: how many of the names are dealt into folds; one that is lost altogether is none of them. No rules where
    exclusions leave a class in too few folds.
    """
    import pandas as pd

    table = pd.concat([pd.read_parquet(path) for path in feature_files]).set_index("case")
    rows = [row for row, one in enumerate(pictures) if one.fold is not None and one.case in table.index]
    usable = [pictures[row] for row in rows]
    truth = np.array([names.index(one.truth) for one in usable])
    folds_of = [{one.fold for one, label in zip(usable, truth, strict=True) if label == k} for k in range(classes)]
    if min(map(len, folds_of), default=0) < MINIMUM_FOLDS:
        return {}
    scored = run_picture_baselines(
        table.loc[[one.case for one in usable]],
        truth,
        np.array([one.fold for one in usable]),
        classes=classes,
        seed=settings.seed,
        names=PICTURE_BASELINES,
    )
    found = {}
    for rule, scores in scored.items():
        predicted = np.full(len(pictures), EXCLUDED)
        probability = np.zeros((len(pictures), len(names)))
        predicted[rows], probability[rows, :classes] = scores.predicted, scores.probability
        every = np.array([names.index(one.truth) for one in pictures])
        found[str(rule)] = Predictions(every, predicted, probability, [one.group for one in pictures])
    return found


def _estimates(predictions: Predictions, settings: Settings) -> dict[str, Estimate]:
    return {name: metric(predictions, draws=settings.draws, seed=settings.seed) for name, metric in METRICS.items()}


def _records(predictions: Predictions, settings: Settings) -> dict[str, Any]:
    return {name: _record(estimate) for name, estimate in _estimates(predictions, settings).items()}


def _record(estimate: Estimate) -> dict[str, Any]:
    low, high = (estimate.interval.low, estimate.interval.high) if estimate.interval else (None, None)
    value = None if np.isnan(estimate.value) else float(estimate.value)
    return {"value": value, "low": low, "high": high, "n": estimate.pictures}


def _difference(rule: str, ours: Predictions, theirs: Predictions, settings: Settings) -> dict[str, Any]:
    found = accuracy_difference(ours, theirs, draws=settings.draws, seed=settings.seed)
    return {
        "baseline": rule,
        "metric": "accuracy",
        "difference": found.value,
        "low": found.interval.low,
        "high": found.interval.high,
        "p": found.p,
        "n": len(ours.truth),
        "rule": f"only ours {found.first_only}, only theirs {found.second_only}; {found.test}",
    }
