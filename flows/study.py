"""Learning from an annotated cohort: the whole chain, from a DICOM inbox to a report."""

from __future__ import annotations

from pathlib import Path

from prefect import flow
from prefect.runtime import flow_run

from flows.accounting import account
from flows.cluster import task_runner
from flows.dashboard import publish
from flows.run import Run, open_run
from flows.settings import StudySettings, load_study
from flows.summary import RunSummary
from flows.training import Models, deal_folds, train_models, usual_lesion_ml
from storage.case import Case
from storage.models import ModelRegistry
from tasks.detect import task as detect
from tasks.evaluate import task as evaluate
from tasks.extract import task as extract
from tasks.ingest import task as ingest
from tasks.ingest.deidentify import load_key
from tasks.normalize import task as normalize
from tasks.report import task as report
from tasks.sample import task as sample


def _run_name() -> str:
    return f"study {Path(flow_run.parameters['study']).stem}"


@flow(name="run_study", flow_run_name=_run_name, task_runner=task_runner(), validate_parameters=False)
def run_study(
    study: str, data: str, store: str, workers: int | None = None, scheduler: str | None = None
) -> RunSummary:
    """Run a study: ingest, annotate, split, normalize, sample, extract, train, detect, evaluate, report.

    Parameters
    ----------
    study
        The study's TOML file.
    data
        Folder of DICOM files, in any order and nesting.
    store
        Folder of the artifact store. What it already holds is not computed again.
    workers
        CPU workers to start; by default one per core.
    scheduler
        Address of a Dask scheduler to use instead of starting workers.
    """
    s = load_study(Path(study))
    key = load_key()
    with open_run(s, store_root=Path(store), data=Path(data), workers=workers, scheduler=scheduler) as run:
        do, image = run.dispatch, s.image
        selection = ingest.receive(data, s.ingest, key)
        found = {examination.case: examination for examination in selection.examinations}
        received = [Case(id=e.case, patient=e.patient, digest=e.digest) for e in selection.examinations]
        run.expect(len(received))

        cases = do.each(received, ingest.ingest_case, lambda c: ingest.plan_ingest(found[c.id], s.ingest, key))
        cases = do.each(cases, ingest.annotate_case, lambda c: ingest.plan_annotate(c, found[c.id], s.ingest, key))
        folds = deal_folds(do, cases, s)
        cases = do.each(cases, normalize.normalize_case, lambda c: normalize.plan(c, s.normalize, image=image))
        cases = do.each(cases, sample.sample_case, lambda c: sample.plan(c, s.sample))
        cases = do.each(cases, extract.extract_case, lambda c: extract.plan(c, s.extract))
        models = train_models(do, cases, folds, s)
        if models.refit:
            cases = do.each(
                cases, detect.detect_case, lambda c: detect.plan(c, s.detect, image=image, model=models.of(c))
            )
            known = usual_lesion_ml(run.store, cases, folds)
            most = s.detect.max_findings
            cases = do.each(
                cases,
                evaluate.match_findings,
                lambda c: evaluate.plan_match(c, s.evaluate, image=image, sphere_ml=known[c.id], most=most),
            )
        cases = do.each(cases, report.draw_panel, lambda c: report.plan_case(c, s.report, image=image))
        scores = evaluate_models(run, cases, received, models, s)
        accounts = account(selection, received, cases, do.exclusions)
        return publish(run, s, cases, models, scores, accounts)


def evaluate_models(run: Run, cases: list[Case], received: list[Case], models: Models, s: StudySettings) -> str | None:
    """Key of the cohort's metrics, lost cases counted as missed; registers the refit. ``None`` if none was trained."""
    if models.refit is None:
        return None
    through = {case.id for case in cases}
    lost = [case for case in received if case.id not in through]
    scores = run.dispatch.one(evaluate.evaluate_cohort, evaluate.plan(cases, lost, s.evaluate))
    ModelRegistry(run.store.root).propose(s.name, models.refit)
    return scores
