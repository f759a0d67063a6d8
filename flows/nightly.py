"""The night: what arrived, looked at with the model in production, and reported in the morning."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from prefect import flow
from prefect.runtime import flow_run
from pydantic import ValidationError

from flows.cluster import task_runner
from flows.known_cases import known_cases
from flows.pictures import night_settings as picture_night
from flows.pictures import screen_pictures
from flows.preparing import prepare_cases
from flows.run import Run, open_run
from flows.segmentation_night import night_settings as segmentation_night
from flows.segmentation_night import screen_segmentations
from flows.settings import StudySettings
from flows.steps import evaluate_cases, receive, report_cases
from flows.summary import RunSummary
from flows.training import Models
from storage.errors import StoreError
from storage.models import ModelRegistry
from tasks.detect import task as detect
from tasks.evaluate import task as evaluate
from tasks.ingest import task as ingest
from tasks.ingest.deidentify import load_key
from tasks.ingest.settings import RecropSettings
from tasks.report import task as report
from tasks.train import task as train

QUIET_SECONDS = 300.0
"""A study may still arrive while the night begins."""


def _run_name() -> str:
    return f"night {flow_run.parameters['model'] or ''}".strip()


@flow(name="run_nightly", flow_run_name=_run_name, task_runner=task_runner(), validate_parameters=False)
def run_nightly(
    data: str,
    store: str,
    model: str | None = None,
    recrop: bool = False,
    score: bool = False,
    quiet_seconds: float = QUIET_SECONDS,
    workers: int | None = None,
    scheduler: str | None = None,
) -> RunSummary:
    """Screen an inbox: ingest, normalize, sample, extract, detect with the model in production, report.

    A case is looked at once: the store has the answer until its images, the model or the settings change.

    Parameters
    ----------
    data
        Folder of files as the model's study reads them: DICOM in any order and nesting, volumes, or pictures.
    store
        Folder of the artifact store, with the model in it.
    model
        Name of the model; its alias ``production`` is used. ``None`` where the store has one model alone.
    recrop
        Cut a random part off each face of every image, as a study may do in training. New images are left whole.
    score
        Compare with the annotations that lie beside the images. Detection never reads them.
    quiet_seconds
        A study with a file younger than this waits for the next night.
    workers, scheduler
        As in ``run_study``.
    """
    registered = ModelRegistry(Path(store)).get(model)
    network = registered.aliases["production"]
    study = registered.studies[network]
    key = load_key()
    opened = partial(open_run, store_root=Path(store), data=Path(data), workers=workers, scheduler=scheduler)
    if study.get("kind") == "pictures":
        with settings_of_now(registered.name):
            p = picture_night(study)
        with opened(p) as run:
            return screen_pictures(run, data, p, key, model=network, score=score, quiet_seconds=quiet_seconds)
    if study.get("kind") == "segmentation":
        with settings_of_now(registered.name):
            g = segmentation_night(study)
        with opened(g) as run:
            return screen_segmentations(run, data, g, key, model=network, score=score, quiet_seconds=quiet_seconds)
    with settings_of_now(registered.name):
        trained = StudySettings.model_validate(study)
    s = night_settings(trained, recrop=recrop, score=score, quiet_seconds=quiet_seconds)
    with opened(s) as run:
        return screen_volumes(run, data, s, key, model=network, image=trained.image)


@contextmanager
def settings_of_now(model: str) -> Iterator[None]:
    """Say in one sentence what to do about a model whose study an earlier version wrote."""
    try:
        yield
    except ValidationError as error:
        raise StoreError(
            f"the model '{model}' was trained by an earlier version, whose settings cannot be read; run its study again"
        ) from error


def screen_volumes(run: Run, data: str, s: StudySettings, key: bytes, *, model: str, image: str) -> RunSummary:
    """The chain over volumes with lesions; `flows.pictures` and `flows.segmentation_night` have the others.

    Annotations are read last of all.
    """
    do, inbox = run.dispatch, receive(run, data, s, key, night=True)
    models = Models(refit=model, note=known_cases(run.store, model, inbox.cases) if s.ingest.annotation else None)
    files = inbox.files

    cases = do.each(inbox.cases, ingest.ingest_case, lambda c: ingest.plan_ingest(files[c.id], s.ingest, key))
    cases = prepare_cases(do, cases, s, image=image, fitted=train.fitted_of(run.store, model))
    detecting = detect.task_of(run.store, [model])
    cases = do.each(cases, detecting, lambda c: detect.plan(c, s.detect, image=image, model=model))
    if s.ingest.annotation:  # only now, when nothing that could look at it is left to be done
        cases = do.each(cases, ingest.annotate_case, lambda c: ingest.plan_annotate(c, files[c.id], s.ingest, key))
    most = s.detect.max_findings
    cases = do.each(
        cases,
        evaluate.match_findings,
        lambda c: evaluate.plan_match(c, s.evaluate, image=image, model=model, most=most),
    )
    cases = do.each(cases, report.draw_panel, lambda c: report.plan_case(c, s.report, image=image))
    scores = evaluate_cases(run, cases, inbox.cases, s, groups={}) if s.ingest.annotation else None
    return report_cases(run, inbox, cases, models, scores, s)


def night_settings(trained: StudySettings, *, recrop: bool, score: bool, quiet_seconds: float) -> StudySettings:
    """Settings of the study that trained the model, as a night needs them.

    Images stay whole unless asked otherwise, annotations are left alone unless they are to be scored against, and a
    case without one is no fault. The outbox is ``<name>-night``.
    """
    annotation = trained.ingest.annotation if score else None
    ingested = trained.ingest.model_copy(
        update={
            "recrop": (trained.ingest.recrop or RecropSettings()) if recrop else None,
            "annotation": annotation and annotation.model_copy(update={"required": False}),
            "quiet_seconds": quiet_seconds,
        }
    )
    update = {"name": f"{trained.name}-night", "ingest": ingested, "description": f"Screened with {trained.name}"}
    return trained.model_copy(update=update)
