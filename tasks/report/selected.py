"""Which features the models were given, by what score, and how steady that choice was."""

from __future__ import annotations

from collections.abc import Sequence

from tasks.report.drawn import Part

MOST_SHOWN = 60


class SelectionStep(Part):
    """One selector: what its score measures, how many features it was offered, and how many it kept."""

    name: str
    measure: str
    offered: int
    kept: int


class KeptFeature(Part):
    """One feature of one model; ``frequency`` is the part of its inner folds that kept it too."""

    name: str
    scores: tuple[float | None, ...] = ()
    frequency: float


class FoldSelection(Part):
    """The selection of one model.

    Attributes
    ----------
    steps
        Selectors in their order.
    features
        What was kept.
    folds
        Inner folds over which the stability was found.
    stability, low, high
        Index of Nogueira et al. with its 95 % interval: 1 is the same features each time, 0 is chance. ``None`` where
        it is not defined.
    """

    steps: tuple[SelectionStep, ...] = ()
    features: tuple[KeptFeature, ...] = ()
    folds: int = 0
    stability: float | None = None
    low: float | None = None
    high: float | None = None


class SelectedFeature(Part):
    """One feature over all models of the study.

    Attributes
    ----------
    models
        How many models were given it.
    frequency
        Part of the inner folds of these models that kept it, on average.
    scores
        By each selector, the mean over these models; ``None`` where none of them has one.
    """

    name: str
    models: int
    frequency: float
    scores: tuple[float | None, ...]


class SelectedFeatures(Part):
    """The features of a study's models, those of most models first, then the steadiest; the first of ``total``."""

    measures: tuple[str, ...] = ()
    total: int = 0
    shown: tuple[SelectedFeature, ...] = ()


def selected_features(selections: Sequence[FoldSelection]) -> SelectedFeatures:
    """Put the selections of all models of a study together; nothing is shown where no selector was at work."""
    with_steps = [selection for selection in selections if selection.steps]
    by_name: dict[str, list[KeptFeature]] = {}
    for selection in with_steps:
        for feature in selection.features:
            by_name.setdefault(feature.name, []).append(feature)
    rows = sorted((_row(name, kept) for name, kept in by_name.items()), key=_order)
    measures = tuple(f"{step.name}: {step.measure}" for step in with_steps[0].steps) if with_steps else ()
    return SelectedFeatures(measures=measures, total=len(rows), shown=tuple(rows[:MOST_SHOWN]))


def _row(name: str, kept: Sequence[KeptFeature]) -> SelectedFeature:
    scores = zip(*(feature.scores for feature in kept), strict=True)
    return SelectedFeature(
        name=name,
        models=len(kept),
        frequency=_mean([feature.frequency for feature in kept]) or 0.0,
        scores=tuple(_mean([value for value in values if value is not None]) for values in scores),
    )


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _order(feature: SelectedFeature) -> tuple[float, float, str]:
    return -feature.models, -feature.frequency, feature.name
