"""Learning from an annotated cohort: the whole chain, from an inbox to a report."""

from __future__ import annotations

from pathlib import Path

from prefect import flow
from prefect.runtime import flow_run

from flows.cluster import task_runner
from flows.pictures import learn_pictures
from flows.preparing import prepare_for_models
from flows.registering import register
from flows.run import Run, open_run
from flows.segmentation import learn_segmentation
from flows.settings import PictureStudySettings, SegmentationStudySettings, StudySettings, load_study
from flows.steps import evaluate_cases, receive, report_cases
from flows.summary import RunSummary
from flows.training import deal_folds, train_models
from tasks.detect import task as detect
from tasks.evaluate import task as evaluate
from tasks.extract import task as extract
from tasks.ingest import task as ingest
from tasks.ingest.deidentify import load_key
from tasks.report import task as report


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
        Folder of DICOM files in any order and nesting, or of pictures in one folder per class.
    store
        Folder of the artifact store. What it already holds is not computed again.
    workers
        CPU workers to start; by default one per core.
    scheduler
        Address of a Dask scheduler to use instead of starting workers.
    """
    s = load_study(Path(study))
    key = load_key()
    with open_run(
        s, store_root=Path(store), data=Path(data), workers=workers, scheduler=scheduler, devices=s.devices
    ) as run:
        if isinstance(s, PictureStudySettings):
            return learn_pictures(run, data, s, key)
        if isinstance(s, SegmentationStudySettings):
            return learn_segmentation(run, data, s, key)
        return learn_volumes(run, data, s, key)


def learn_volumes(run: Run, data: str, s: StudySettings, key: bytes) -> RunSummary:
    """The chain over volumes; `flows.pictures` and `flows.segmentation` have the others."""
    do, image, inbox = run.dispatch, s.image, receive(run, data, s, key)
    files = inbox.files

    cases = do.each(inbox.cases, ingest.ingest_case, lambda c: ingest.plan_ingest(files[c.id], s.ingest, key))
    cases = do.each(cases, ingest.annotate_case, lambda c: ingest.plan_annotate(c, files[c.id], s.ingest, key))
    annotated = {case.id: case for case in cases}
    folds = deal_folds(do, cases, s)
    prepared = prepare_for_models(do, cases, folds, s, image=image)
    features = do.one(extract.gather_cohort, extract.plan_gather(prepared.cases)) if prepared.cases else None
    models = train_models(do, prepared, folds, s)
    cases = prepared.to_be_scored(folds)
    if models.refit:
        detecting = detect.task_of(run.store, models.by_name.values())
        cases = do.each(cases, detecting, lambda c: detect.plan(c, s.detect, image=image, model=models.of(c)))
        most = s.detect.max_findings
        cases = do.each(
            cases,
            evaluate.match_findings,
            lambda c: evaluate.plan_match(c, s.evaluate, image=image, model=models.of(c), most=most),
        )
    cases = do.each(cases, report.draw_panel, lambda c: report.plan_case(c, s.report, image=image))
    scores = None
    if models.refit:
        received = [annotated.get(case.id, case) for case in inbox.cases]
        scores = evaluate_cases(run, cases, received, s, groups=folds.groups)
    summary = report_cases(run, inbox, cases, models, scores, s, features=features)
    learned = [case for case in cases if case.patient in folds.patients]
    return register(run, s, models, learned, summary, groups=folds.groups)
