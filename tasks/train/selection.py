"""What the selectors of a model kept, by what score, and how often they kept it when other patients were left out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.pipeline import Pipeline

from tasks.classical.selectors import selector_of
from tasks.classical.steps import SELECT, choosing_steps, kept_columns
from tasks.metrics.selection_stability import selection_stability

BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class SelectionStep:
    """One selector: what its score measures, how many features it was offered, how many it kept."""

    name: str
    measure: str
    offered: int
    kept: int


@dataclass(frozen=True)
class KeptFeature:
    """One feature that the model sees.

    Attributes
    ----------
    scores
        By each selector in turn; ``None`` where a selector did not judge it.
    frequency
        Part of the inner folds that kept it too.
    """

    name: str
    scores: tuple[float | None, ...]
    frequency: float


@dataclass(frozen=True)
class Selection:
    """The selection of one model.

    Attributes
    ----------
    steps
        Selectors in their order; none where the study names none.
    features
        What is kept when it is fitted on all patients given: the steadiest first, then by the last score.
    folds
        Inner folds that selected.
    stability, low, high
        See :mod:`tasks.metrics.selection_stability`, over the inner folds; ``None`` where it is not defined.
    """

    steps: tuple[SelectionStep, ...]
    features: tuple[KeptFeature, ...]
    folds: int
    stability: float | None
    low: float | None
    high: float | None


NO_SELECTION = Selection((), (), 0, None, None, None)
"""Of a model that sees no features."""


def describe_selection(pipeline: Pipeline, columns: Sequence[str], folds: Sequence[BoolArray]) -> Selection:
    """The selection of a fitted pipeline.

    Parameters
    ----------
    columns
        Names of the columns that it was fitted on.
    folds
        What each inner fold kept of them, bool ``(columns,)`` each.
    """
    kept = kept_columns(pipeline, len(columns))
    steps, scores = _steps(pipeline, len(columns))
    often = np.mean(folds, axis=0) if len(folds) else np.zeros(len(columns))
    features = [
        KeptFeature(columns[at], tuple(_number(score[at]) for score in scores), round(float(often[at]), 6))
        for at in np.flatnonzero(kept).tolist()
    ]
    index = selection_stability(np.stack(folds)) if len(folds) else None
    value, low, high = (None, None, None) if index is None else map(_number, index)
    return Selection(tuple(steps), tuple(sorted(features, key=_first)), len(folds), value, low, high)


def _steps(pipeline: Pipeline, columns: int) -> tuple[list[SelectionStep], list[npt.NDArray[np.float64]]]:
    """The selectors, and the scores of each for all columns of the table: NaN for those that it was not offered."""
    steps, scores = [], []
    for name, step, offered in choosing_steps(pipeline, columns):
        if name.startswith(SELECT):
            selector = selector_of(step.options)
            whole = np.full(columns, np.nan)
            whole[offered] = step.scores_
            scores.append(whole)
            steps.append(SelectionStep(selector.name, selector.measure, len(offered), int(step.get_support().sum())))
    return steps, scores


def _first(feature: KeptFeature) -> tuple[float, float, str]:
    last = feature.scores[-1] if feature.scores else None
    return -feature.frequency, -(last if last is not None else -math.inf), feature.name


def _number(value: float) -> float | None:
    """Rounded, so that the last bits of a sum are nobody's concern."""
    return float(f"{value:.6g}") if math.isfinite(value) else None
