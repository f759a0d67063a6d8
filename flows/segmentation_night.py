"""New volumes segmented by the network in production: the chain of a night, without any annotation."""

from __future__ import annotations

from collections.abc import Mapping

from flows.forecast import forecast
from flows.known_cases import known_cases
from flows.preparing import normalize_cases
from flows.run import Run
from flows.segmentation import compared_and_lost, match_annotated, publish_segmentations, volumes_ml
from flows.settings import SegmentationStudySettings
from flows.summary import RunSummary
from flows.training import Models
from tasks.detect import segmentation_task as detect
from tasks.evaluate import segmentation_task as evaluate
from tasks.ingest import segmentation_task as ingest
from tasks.ingest.segmentation_task import IMAGE
from tasks.report import segmentation_task as report
from tasks.train import task as train


def screen_segmentations(
    run: Run, data: str, s: SegmentationStudySettings, key: bytes, *, model: str, score: bool, quiet_seconds: float
) -> RunSummary:
    """Ingest, normalize, detect, report; compared with label maps only when asked, and only at the end.

    Plain rules do not stand beside the network: they learn from the cases of a study, in its folds.
    """
    do = run.dispatch
    inbox = ingest.receive(data, s.ingest, key, annotated=score, quiet_seconds=quiet_seconds)
    do.progress.plan(forecast(s, len(inbox.cases), night=True, score=score))
    files = inbox.files

    cases = do.each(inbox.cases, ingest.ingest_volume, lambda c: ingest.plan_ingest(c, files[c.id], s.ingest, key))
    cases = normalize_cases(do, cases, s.normalize, image=IMAGE, fitted=train.fitted_of(run.store, model))
    cases = do.each(cases, detect.segment_case, lambda c: detect.plan(c, s.detect, model=model, image=IMAGE))
    scores = None
    if score:  # only now, when nothing that could look at an annotation is left to be done
        cases = do.each(cases, ingest.annotate_volume, lambda c: ingest.plan_annotate(c, files[c.id], s.ingest))
        annotated = {case.id for case in cases if volumes_ml(do, case) is not None}
        cases = match_annotated(do, cases, annotated, s, lambda _: None)
        scores = do.one(
            evaluate.evaluate_segmentations, evaluate.plan(*compared_and_lost(inbox, cases), s.evaluate, groups={})
        )
    drawn = do.one(report.draw_cases, report.plan_draw(cases, s.report, image=IMAGE))
    notes = [note] if score and (note := known_cases(run.store, model, inbox.cases)) else []
    return publish_segmentations(run, s, inbox, cases, Models(refit=model), scores, drawn, notes)


def night_settings(trained: Mapping[str, object]) -> SegmentationStudySettings:
    """Settings of the study that trained the network, as a night needs them. The outbox is ``<name>-night``."""
    s = SegmentationStudySettings.model_validate(trained)
    return s.model_copy(update={"name": f"{s.name}-night", "description": f"Screened with {s.name}"})
