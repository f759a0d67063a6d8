"""Steps that both chains share: what a study and a night do in the same way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flows.accounting import account
from flows.dashboard import publish
from flows.forecast import forecast
from flows.run import Run
from flows.settings import StudySettings
from flows.summary import RunSummary
from flows.training import Models
from storage.case import Case
from tasks.evaluate import task as evaluate
from tasks.ingest import task as ingest
from tasks.ingest.select import Examination, Selection
from tasks.report import task as report


@dataclass(frozen=True)
class Received:
    """What lies in the inbox: the cases in their order, the files of each, and what became of everything else."""

    cases: list[Case]
    files: Mapping[str, Examination]
    selection: Selection


def receive(run: Run, data: str, s: StudySettings, key: bytes, *, night: bool = False) -> Received:
    """Look through the inbox, and say how much lies ahead."""
    selection = ingest.receive(data, s.ingest, key)
    cases = [Case(id=e.case, patient=e.patient, digest=e.digest) for e in selection.examinations]
    run.dispatch.progress.plan(forecast(s, len(cases), night=night, score=s.ingest.annotation is not None))
    return Received(cases, {examination.case: examination for examination in selection.examinations}, selection)


def evaluate_cases(
    run: Run, cases: Sequence[Case], received: Sequence[Case], s: StudySettings, *, groups: Mapping[str, str]
) -> str:
    """Key of the cohort's metrics, lost cases counted as missed.

    ``received``: with the annotations that were read; ``groups``: by case whom it counts for, if not its patient alone.
    """
    through = {case.id for case in cases}
    lost = [case for case in received if case.id not in through]
    return run.dispatch.one(evaluate.evaluate_cohort, evaluate.plan(cases, lost, s.evaluate, groups=groups))


def report_cases(
    run: Run,
    inbox: Received,
    cases: Sequence[Case],
    models: Models,
    scores: str | None,
    s: StudySettings,
    *,
    features: str | None = None,
) -> RunSummary:
    """Write the report over the cases that were drawn, and publish it."""
    accounts = account(inbox.selection, inbox.cases, cases, run.dispatch.exclusions)
    notes = [models.note] if models.note else []
    work = report.plan(
        cases,
        s.report,
        study=s.model_dump(mode="json"),
        models=models.by_name,
        evaluation=scores,
        features=features,
        accounting=accounts,
        notes=notes,
    )
    return publish(run, run.dispatch.one(report.write_report, work), accounts, scores, notes)
