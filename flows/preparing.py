"""From ingested images to tables of features: normalize, sample, extract.

Where a step of normalize learns from other images, it learns once per fold, from the training patients of that fold,
and every case is prepared once for every model: to train it, or to be scored by it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from flows.dispatch import Dispatch, StageFailedError
from flows.settings import StudySettings
from storage.case import Case
from tasks.extract import task as extract
from tasks.imaging.step import Facts
from tasks.normalize import task as normalize
from tasks.normalize.settings import Settings as NormalizeSettings
from tasks.sample import task as sample
from tasks.split.folds import Folds

REFIT = "refit"
"""The model of everyone; the others are ``"fold 1"`` and so on."""


@dataclass(frozen=True)
class Prepared:
    """The cases as each model needs them.

    Attributes
    ----------
    cases
        As the refit needs them; as all models do where nothing is learnt.
    by_model
        By ``"fold 1"`` … ``"refit"``; empty where nothing is learnt.
    fitted
        What was learnt, by the same names.
    """

    cases: list[Case]
    by_model: Mapping[str, list[Case]] = field(default_factory=dict)
    fitted: Mapping[str, Facts] = field(default_factory=dict)

    def for_model(self, name: str) -> list[Case]:
        """The cases as this model needs them."""
        return self.by_model.get(name, self.cases)

    def to_be_scored(self, folds: Folds) -> list[Case]:
        """Each case as the model needs it that may score it: that of its own fold, else the refit."""
        found = {name: {case.id: case for case in cases} for name, cases in self.by_model.items()}

        def own(case: Case) -> Case:
            fold = folds.patients.get(case.patient) if folds.count else None
            prepared = found.get(fold_name(fold)) if fold is not None else None
            return prepared[case.id] if prepared else case

        return [own(case) for case in self.cases]


def fold_name(fold: int) -> str:
    """What the model of a fold is called; ``fold`` from 0, the name from 1."""
    return f"fold {fold + 1}"


def prepare_cases(
    do: Dispatch, cases: Sequence[Case], s: StudySettings, *, image: str, fitted: Facts | None = None
) -> list[Case]:
    """Normalize, sample and extract one image of each case."""
    return _described(do, normalize_cases(do, cases, s.normalize, image=image, fitted=fitted), s)


def normalize_cases(
    do: Dispatch, cases: Sequence[Case], settings: NormalizeSettings, *, image: str, fitted: Facts | None = None
) -> list[Case]:
    """Normalize one image of each case."""
    return do.each(cases, normalize.normalize_case, lambda c: normalize.plan(c, settings, image=image, fitted=fitted))


def prepare_for_models(do: Dispatch, cases: Sequence[Case], folds: Folds, s: StudySettings, *, image: str) -> Prepared:
    """Normalize, sample and extract the cases of a study for all its models, as `normalize_for_models` says."""
    return normalize_for_models(
        do, cases, folds, s.normalize, image=image, then=lambda through: _described(do, through, s)
    )


def normalize_for_models(
    do: Dispatch,
    cases: Sequence[Case],
    folds: Folds,
    settings: NormalizeSettings,
    *,
    image: str,
    then: Callable[[list[Case]], list[Case]] = lambda through: through,
) -> Prepared:
    """Normalize the cases of a study for all its models. A case that falls out for one of them is out for all.

    ``then``: what follows for the cases of each model.
    """
    if settings.learner is None:
        return Prepared(then(normalize_cases(do, cases, settings, image=image)))
    cases = do.each(cases, normalize.measure_case, lambda c: normalize.plan_measure(c, settings, image=image))
    if not cases:
        return Prepared([])
    fitted = _learn(do, cases, folds, settings)
    by_model: dict[str, list[Case]] = {}
    for name, facts in fitted.items():
        by_model[name] = then(normalize_cases(do, cases, settings, image=image, fitted=facts))
        through = {case.id for case in by_model[name]}
        cases = [case for case in cases if case.id in through]
    left = {case.id for case in cases}
    by_model = {name: [case for case in found if case.id in left] for name, found in by_model.items()}
    return Prepared(by_model[REFIT], by_model, fitted)


def _described(do: Dispatch, cases: Sequence[Case], s: StudySettings) -> list[Case]:
    through = do.each(cases, sample.sample_case, lambda c: sample.plan(c, s.sample))
    return do.each(through, extract.extract_case, lambda c: extract.plan(c, s.extract))


def _learn(do: Dispatch, cases: Sequence[Case], folds: Folds, settings: NormalizeSettings) -> dict[str, Facts]:
    """What the step learns for each model, from the patients that the model is trained on."""
    members = {
        fold_name(k): [case for case in cases if folds.patients.get(case.patient, k) != k] for k in range(folds.count)
    }
    members[REFIT] = [case for case in cases if case.patient in folds.patients] or list(cases)
    subjects = {name: chosen for name, chosen in members.items() if chosen}
    works = [normalize.plan_fit(chosen, settings, subject=name) for name, chosen in subjects.items()]
    outcomes = do.all(normalize.fit_cohort, works)
    for outcome in outcomes:
        if outcome.failure or outcome.verdict:
            raise StageFailedError(f"fit {outcome.subject}: {outcome.failure or outcome.verdict}")
    # By place: where two models are left with the same patients, one artifact answers for both.
    keys = dict(zip(subjects, (outcome.key for outcome in outcomes), strict=True))
    return {name: normalize.read_fit(do.store.open("fit", key)) for name, key in keys.items()}
