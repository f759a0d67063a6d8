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

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits

from storage.errors import CaseError
from tasks.classical.scoring import Calibration, fit_calibration
from tasks.classical.steps import inputs_of, kept_columns
from tasks.discover import MODELS, part
from tasks.train.case_table import BoolArray, CaseTable, FloatArray, rows_of
from tasks.train.harmonized import Harmonization, describe_harmonization, row_scanners
from tasks.train.importance import importance
from tasks.train.out_of_fold import fit_pipelines, out_of_fold, scored_by_fold
from tasks.train.rating import operating_point, rate
from tasks.train.selection import NO_SELECTION, Selection, describe_selection
from tasks.train.settings import MINIMUM_PATIENTS, Settings
from tasks.train.tuning import Trials, tuned


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
    scores = {name: rate(cases, predicted, settings, most) for name, predicted in inner.items()}
    names = [*settings.models, *on_patches]
    winner = max(names, key=lambda name: (scores[name]["cpm"], scores[name]["auc"], -names.index(name)))
    positive = [case.positive(settings.positive_iou) for case in cases]
    chosen = Fitted(
        model=winner,
        pipeline=None,
        columns=(),
        calibration=calibrations[winner],
        threshold=operating_point(cases, inner[winner], settings, most),
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
    features, labels = rows_of(cases, settings.positive_iou)
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


def _fold_by_fold(cases: Sequence[CaseTable], settings: Settings, most: int | None) -> Iterator[float]:
    """How good the only model is on the cases held out so far: CPM and, where that is equal, AUC."""
    [name] = settings.models
    for held_out, done in scored_by_fold(cases, settings):
        found = rate([cases[i] for i in done], [held_out.scores[name][i] for i in done], settings, most)
        yield found["cpm"] + found["auc"] / 1000


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


def _calibration(cases: Sequence[CaseTable], scores: Sequence[FloatArray], settings: Settings) -> Calibration:
    positive = np.concatenate([case.positive(settings.positive_iou) for case in cases])
    return fit_calibration(np.concatenate(scores), positive)
