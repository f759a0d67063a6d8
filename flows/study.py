"""Learning from an annotated cohort: the whole chain, from a DICOM inbox to a report."""

from __future__ import annotations

from pathlib import Path

from prefect import flow

from flows.accounting import account
from flows.cluster import task_runner
from flows.dashboard import publish
from flows.run import open_run
from flows.settings import load_study
from flows.summary import RunSummary
from flows.training import members, train_models, usual_lesion_ml
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
from tasks.split import task as split


@flow(name="run_study", task_runner=task_runner(), validate_parameters=False)
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
    settings = load_study(Path(study))
    key = load_key()
    selection = ingest.receive(data, settings.ingest, key)
    with open_run(
        study=settings.name,
        store_root=Path(store),
        data=Path(data),
        gpu=settings.gpu,
        workers=workers,
        scheduler=scheduler,
        cases=len(selection.examinations),
    ) as run:
        dispatch, image = run.dispatch, settings.image
        examinations = {examination.case: examination for examination in selection.examinations}
        received = [Case(id=e.case, patient=e.patient, digest=e.digest) for e in selection.examinations]

        cases = dispatch.each(
            received, ingest.ingest_case, lambda c: ingest.plan_ingest(examinations[c.id], settings.ingest, key)
        )
        cases = dispatch.each(
            cases, ingest.annotate_case, lambda c: ingest.plan_annotate(c, examinations[c.id], settings.ingest, key)
        )
        folds = split.read_folds(
            run.store.open(
                "split", dispatch.one(split.split_cohort, split.plan(members(run.store, cases), settings.split))
            )
        )
        cases = dispatch.each(
            cases, normalize.normalize_case, lambda c: normalize.plan(c, settings.normalize, image=image)
        )
        cases = dispatch.each(cases, sample.sample_case, lambda c: sample.plan(c, settings.sample))
        cases = dispatch.each(cases, extract.extract_case, lambda c: extract.plan(c, settings.extract))

        models, scores = train_models(dispatch, cases, folds, settings), None
        if models.refit:
            most = settings.detect.max_findings
            cases = dispatch.each(
                cases, detect.detect_case, lambda c: detect.plan(c, settings.detect, image=image, model=models.of(c))
            )
            sphere = usual_lesion_ml(run.store, cases, folds)
            cases = dispatch.each(
                cases,
                evaluate.match_findings,
                lambda c: evaluate.plan_match(c, settings.evaluate, image=image, sphere_ml=sphere[c.id], most=most),
            )
            lost = [case for case in received if case.id not in {c.id for c in cases}]
            scores = dispatch.one(evaluate.evaluate_cohort, evaluate.plan(cases, lost, settings.evaluate))
            ModelRegistry(run.store.root).propose(settings.name, models.refit)
        cases = dispatch.each(cases, report.draw_panel, lambda c: report.plan_case(c, settings.report, image=image))
        accounts = account(selection, received, cases, dispatch.exclusions)
        run.summary.notes = [models.note] if models.note else []
        page = dispatch.one(
            report.write_report,
            report.plan(
                cases,
                settings.report,
                study=settings.model_dump(mode="json"),
                models=models.by_name,
                evaluation=scores,
                accounting=accounts,
                notes=run.summary.notes,
            ),
        )
        return publish(run, accounts, scores, page)
