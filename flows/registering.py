"""Putting a trained model under its name, with a card that says what it is and how good it was."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from flows.run import Run
from flows.settings import AnyStudy
from flows.summary import RunSummary
from flows.training import Models
from storage.case import Case
from storage.models import ModelCard, ModelRegistry


def register(
    run: Run,
    s: AnyStudy,
    models: Models,
    cases: Iterable[Case],
    summary: RunSummary,
    *,
    groups: Mapping[str, object],
    patients_known: bool = True,
) -> RunSummary:
    """Make the refit of a study, if there is one, its candidate. Returns the summary.

    Parameters
    ----------
    cases
        Those that it learned from.
    groups
        Group of each case, as the split has it.
    patients_known
        Whether a case names its patient; else each only counts as one, and the card does not pretend.
    """
    if models.refit is None:
        return summary
    found, members = run.store.find("train", models.refit), list(cases)
    card = ModelCard(
        study=s.name,
        description=s.description,
        patients=len({case.patient for case in members}) if patients_known else None,
        groups=len({groups[case.id] for case in members}),
        cases=len(members),
        received=summary.received,
        folds=len(models.folds),
        metrics={name: metric.model_dump(mode="json") for name, metric in summary.metrics.items()},
        baselines={
            rule: {name: estimate.model_dump(mode="json") for name, estimate in estimates.items()}
            for rule, estimates in summary.baselines.items()
        },
        versions=found.commit.versions if found else {},
        intended_use=s.intended_use,
        limits=(*s.limits, *summary.notes),
    )
    ModelRegistry(run.store.root).propose(s.name, models.refit, s.model_dump(mode="json"), card)
    return summary
