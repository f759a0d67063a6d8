"""Learning to segment: volumes with label maps in, a label map of each volume out, by a network that never saw it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from flows.dashboard import publish
from flows.dispatch import Dispatch, StageFailedError
from flows.forecast import forecast
from flows.preparing import REFIT, Prepared, fold_name, normalize_for_models
from flows.registering import register
from flows.run import Run
from flows.settings import SegmentationStudySettings
from flows.summary import RunSummary
from flows.training import Models, trained_models, training_members
from storage.case import Case
from storage.mlflow_curve import experiment_of
from tasks.detect import segmentation_task as detect
from tasks.evaluate import segmentation_task as evaluate
from tasks.ingest import segmentation_task as ingest
from tasks.ingest.segmentation_task import IMAGE, structure_volumes_ml
from tasks.report import segmentation_task as report
from tasks.report.content import Accounting, Excluded, LeftOut
from tasks.split import task as split
from tasks.split.folds import Folds, Member
from tasks.train import segmentation_task as train

UNKNOWN = "Whose images these are is not known: each counts as a patient, and a patient may be in several folds."


def learn_segmentation(run: Run, data: str, s: SegmentationStudySettings, key: bytes) -> RunSummary:
    """Ingest, annotate, split, normalize, train, detect, evaluate, report."""
    do = run.dispatch
    inbox = ingest.receive(data, s.ingest, key)
    do.progress.plan(forecast(s, len(inbox.cases)))
    files = inbox.files

    cases = do.each(inbox.cases, ingest.ingest_volume, lambda c: ingest.plan_ingest(c, files[c.id], s.ingest, key))
    cases = do.each(cases, ingest.annotate_volume, lambda c: ingest.plan_annotate(c, files[c.id], s.ingest))
    annotated = {case.id for case in cases if volumes_ml(do, case) is not None}
    split_key = deal_folds(do, cases, s)
    folds = split.read_folds(run.store.open("split", split_key))
    prepared = normalize_for_models(do, cases, folds, s.normalize, image=IMAGE)
    models = train_segmenters(do, prepared, folds, split_key, annotated, s)
    cases = prepared.to_be_scored(folds)
    scores = drawn = None
    if models.refit:
        cases = do.each(cases, detect.segment_case, lambda c: detect.plan(c, s.detect, model=models.of(c), image=IMAGE))
        cases = compare_cases(do, cases, prepared, folds, annotated, s)
        scores = do.one(
            evaluate.evaluate_segmentations,
            evaluate.plan(*compared_and_lost(inbox, cases), s.evaluate, groups=folds.groups),
        )
        drawn = do.one(report.draw_cases, report.plan_draw(cases, s.report, image=IMAGE))
    notes = [*([] if s.ingest.patient else [UNKNOWN]), *([models.note] if models.note else [])]
    summary = publish_segmentations(run, s, inbox, cases, models, scores, drawn, notes)
    learned = [case for case in cases if case.id in annotated and case.patient in folds.patients]
    return register(run, s, models, learned, summary, groups=folds.groups, patients_known=bool(s.ingest.patient))


def volumes_ml(do: Dispatch, case: Case) -> dict[str, float] | None:
    """Annotated volume of each structure of a case; ``None`` without an annotation."""
    return structure_volumes_ml(do.store.open("annotate", case.keys["annotate"]))


def deal_folds(do: Dispatch, cases: Sequence[Case], s: SegmentationStudySettings) -> str:
    """Deal the patients of all annotated cases into folds, structures counted as lesions are; the key of the split."""
    members = []
    for case in cases:
        volumes = volumes_ml(do, case)
        count = None if volumes is None else sum(ml > 0 for ml in volumes.values())
        members.append(Member(case.patient, case.digest, count, case.id, case.keys["ingest"]))
    return do.one(split.split_cohort, split.plan(members, s.split, image=IMAGE))


def train_segmenters(
    do: Dispatch,
    prepared: Prepared,
    folds: Folds,
    split_key: str,
    annotated: set[str],
    s: SegmentationStudySettings,
) -> Models:
    """Train the network of every fold on the annotated cases of the patients outside it, and the refit on all."""
    members = training_members(prepared, folds, annotated)
    if isinstance(members, Models):
        return members
    works = [
        train.plan(
            chosen,
            s.train,
            structures=s.ingest.structures,
            subject=subject,
            folds=split_key,
            tested=[case for case in members[REFIT] if case.id not in {one.id for one in chosen}],
            fitted=prepared.fitted.get(subject),
            experiment=experiment_of(s.name),
        )
        for subject, chosen in members.items()
    ]
    return trained_models(do.all(train.train_segmenter, works), folds)


def compare_cases(
    do: Dispatch,
    cases: Sequence[Case],
    prepared: Prepared,
    folds: Folds,
    annotated: set[str],
    s: SegmentationStudySettings,
) -> list[Case]:
    """Compare annotated cases with their annotation, beside plain rules that learned from the same training cases.

    Cases without annotation are handed through.
    """
    members = training_members(prepared, folds, annotated)
    if isinstance(members, Models):
        raise StageFailedError(f"nothing to compare with: {members.note}")
    rules = {name: chosen for name, chosen in members.items() if name != REFIT}
    works = [
        evaluate.plan_atlas(chosen, structures=s.ingest.structures, subject=name) for name, chosen in rules.items()
    ]
    outcomes = do.all(evaluate.learn_rules, works)
    for outcome in outcomes:
        if outcome.failure or outcome.verdict:
            raise StageFailedError(f"atlas {outcome.subject}: {outcome.failure or outcome.verdict}")
    atlas = dict(zip(rules, (outcome.key for outcome in outcomes), strict=True))
    return match_annotated(do, cases, annotated, s, lambda c: atlas[fold_name(folds.patients[c.patient])])


def match_annotated(
    do: Dispatch,
    cases: Sequence[Case],
    annotated: set[str],
    s: SegmentationStudySettings,
    atlas_of: Callable[[Case], str | None],
) -> list[Case]:
    """Compare annotated cases with their annotation; ``atlas_of``: key of the plain rules beside it, if there are any.

    Cases without annotation are handed through.
    """
    scored = do.each(
        [case for case in cases if case.id in annotated],
        evaluate.compare_case,
        lambda c: evaluate.plan_match(c, s.evaluate, structures=s.ingest.structures, atlas=atlas_of(c)),
    )
    return sorted([*scored, *(case for case in cases if case.id not in annotated)], key=lambda case: case.digest)


def compared_and_lost(inbox: ingest.ReceivedVolumes, cases: Sequence[Case]) -> tuple[list[Case], list[Case]]:
    """Cases that were compared, and annotated ones that were received and did not come through."""
    through = {case.id for case in cases}
    lost = [case for case in inbox.cases if case.id not in through and inbox.files[case.id].label_map]
    return [case for case in cases if "match" in case.keys], lost


def publish_segmentations(
    run: Run,
    s: SegmentationStudySettings,
    inbox: ingest.ReceivedVolumes,
    cases: Sequence[Case],
    models: Models,
    scores: str | None,
    drawn: str | None,
    notes: Sequence[str],
) -> RunSummary:
    """Write the report, and fill outbox, summary and dashboard from it."""
    accounts = account_volumes(run, inbox, cases)
    work = report.plan(
        cases,
        s.report,
        study=s.model_dump(mode="json"),
        models=models.by_name,
        evaluation=scores,
        drawn=drawn,
        accounting=accounts,
        notes=notes,
    )
    return publish(run, run.dispatch.one(report.write_report, work), accounts, scores, notes)


def account_volumes(run: Run, inbox: ingest.ReceivedVolumes, cases: Sequence[Case]) -> Accounting:
    """Where every file has gone; a file counts as one series. The files of a damaged case count as quarantined."""
    found, exclusions = inbox.inbox, run.dispatch.exclusions
    damaged = {one.case: one.reason for one in exclusions if one.stage in ("ingest", "annotate")}
    inside = [
        LeftOut(series=f"file {file.digest[:12]}", reason=reason)
        for case, reason in damaged.items()
        for file in inbox.files[case].files
    ]
    at_the_door = [LeftOut(series=f"file {note.digest[:12]}", reason=note.reason) for note in found.quarantined]
    return Accounting(
        series_seen=found.series_seen,
        used=sum(len(volume.files) for volume in found.volumes) - len(inside),
        set_aside=tuple(LeftOut(series=f"file {note.digest[:12]}", reason=note.reason) for note in found.set_aside),
        quarantined=(*at_the_door, *inside),
        waiting=len(found.waiting),
        received=len(inbox.cases),
        analysed=len(cases),
        excluded=tuple(Excluded(case=one.case, stage=one.stage, reason=one.reason) for one in exclusions),
    )
