"""Learning from pictures that lie in one folder per class, and looking at new ones: the chain, bucket by bucket."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from flows.dashboard import publish
from flows.dispatch import Dispatch
from flows.forecast import forecast
from flows.known_cases import known_cases
from flows.registering import register
from flows.run import Run
from flows.settings import PictureStudySettings
from flows.summary import RunSummary
from flows.synthesis import NONE_MADE, SyntheticPictures, make_synthetic
from flows.training import Models
from storage.case import Batch, Case
from storage.mlflow_curve import experiment_of
from tasks.detect import picture_task as detect
from tasks.evaluate import picture_task as evaluate
from tasks.extract import picture_task as extract
from tasks.ingest import picture_task as ingest
from tasks.load_model import needs_features
from tasks.normalize import picture_task as normalize
from tasks.report import picture_task as report
from tasks.report.content import Accounting, Excluded, LeftOut
from tasks.split import picture_task as split
from tasks.split.picture_folds import MINIMUM_FOLDS, PictureFolds
from tasks.train import picture_task as train
from tasks.train import pipeline_task


def learn_pictures(run: Run, data: str, s: PictureStudySettings, key: bytes) -> RunSummary:
    """Ingest, annotate, split, normalize, extract, train, detect, evaluate, report.

    Features are always extracted: plain rules that every model is compared with look at them.
    """
    do = run.dispatch
    inbox = ingest.receive(data, s.ingest, 0.0, key)
    do.progress.plan(forecast(s, len(inbox.batches)))

    batches = do.each(inbox.batches, ingest.ingest_bucket, lambda b: ingest.plan_ingest(b, inbox, key))
    batches = without_problems(run, batches, "ingest")
    batches = do.each(batches, ingest.annotate_bucket, lambda b: ingest.plan_annotate(b, inbox))
    split_key = do.one(split.split_pictures, split.plan(batches, s.split))
    folds = split.read_folds(run.store.open("split", split_key))
    batches = do.each(batches, normalize.frame_bucket, lambda b: normalize.plan(b, s.normalize))
    batches = without_problems(run, batches, "normalize")
    batches = do.each(batches, extract.describe_bucket, lambda b: extract.plan(b, s.extract))
    synthetic = NONE_MADE
    if why_not := nothing_to_train(batches, folds):
        models = Models(note=why_not)
    else:
        synthetic = make_synthetic(do, batches, split_key, s, folds=folds.count)
        models = train_models(do, batches, folds, split_key, s, synthetic)
    scores = gallery = None
    if models.refit:
        seen_by = {case.id: models.of(case) for batch in batches for case in batch.members}
        asks = needs_features(run.store, models.refit)
        batches = do.each(batches, detect.classify_bucket, lambda b: detect.plan(b, seen_by, features=asks))
        lost = lost_cases(inbox, batches)
        scores = do.one(evaluate.evaluate_pictures, evaluate.plan(batches, lost, s.evaluate, folds=split_key))
        gallery = do.one(report.draw_gallery, report.plan_gallery(batches, s.report))
    summary = publish_pictures(run, s, inbox, batches, models, scores, gallery, synthetic)
    learned = [case for batch in batches for case in batch.members if case.id in folds.folds]
    return register(run, s, models, learned, summary, groups=folds.groups, patients_known=False)


def screen_pictures(
    run: Run, data: str, s: PictureStudySettings, key: bytes, *, model: str, score: bool, quiet_seconds: float
) -> RunSummary:
    """Ingest, normalize, detect, report; compared with the folders' names only when asked, and only at the end.

    Features are extracted where the model asks for them.
    """
    do = run.dispatch
    inbox = ingest.receive(data, s.ingest, quiet_seconds, key)
    do.progress.plan(forecast(s, len(inbox.batches), night=True, score=score))

    batches = do.each(inbox.batches, ingest.ingest_bucket, lambda b: ingest.plan_ingest(b, inbox, key))
    batches = without_problems(run, batches, "ingest")
    batches = do.each(batches, normalize.frame_bucket, lambda b: normalize.plan(b, s.normalize))
    batches = without_problems(run, batches, "normalize")
    if asks := needs_features(run.store, model):
        batches = do.each(batches, extract.describe_bucket, lambda b: extract.plan(b, s.extract))
    seen_by = {case.id: model for batch in batches for case in batch.members}
    batches = do.each(batches, detect.classify_bucket, lambda b: detect.plan(b, seen_by, features=asks))
    scores = None
    if score:
        batches = do.each(batches, ingest.annotate_bucket, lambda b: ingest.plan_annotate(b, inbox))
        lost = lost_cases(inbox, batches)
        scores = do.one(evaluate.evaluate_pictures, evaluate.plan(batches, lost, s.evaluate, folds=None))
    gallery = do.one(report.draw_gallery, report.plan_gallery(batches, s.report))
    models = Models(refit=model, note=known_cases(run.store, model, inbox.cases) if score else None)
    return publish_pictures(run, s, inbox, batches, models, scores, gallery)


def nothing_to_train(batches: Sequence[Batch], folds: PictureFolds) -> str | None:
    """Why no model can be trained; ``None``: it can."""
    left = {folds.folds[case.id] for batch in batches for case in batch.members if case.id in folds.folds}
    if folds.count and len(left) < MINIMUM_FOLDS:
        return f"nothing is trained: exclusions leave pictures with a class in {len(left)} folds"
    return None if folds.count else folds.note


def train_models(
    dispatch: Dispatch,
    batches: Sequence[Batch],
    folds: PictureFolds,
    split_key: str,
    s: PictureStudySettings,
    synthetic: SyntheticPictures,
) -> Models:
    """Train the models of every fold on the pictures outside it, and the refit on all whose class is known.

    Several models of one fold are put together: they answer as one.
    """
    places = (*range(folds.count), None)
    about = [{"folds": split_key, "fold": fold, "synthetic": synthetic.taught.get(fold)} for fold in places]
    members: dict[str, list[str]] = {}
    for name in s.train.models:
        if s.train.is_network(name):
            network = s.train.network(name)
            works = [train.plan(batches, network, **one, experiment=experiment_of(s.name)) for one in about]
            members[name] = dispatch.keys(train.train_network, works)
        else:
            pipeline = s.train.pipeline(name)
            works = [pipeline_task.plan_pipeline(batches, pipeline, **one) for one in about]
            members[name] = dispatch.keys(pipeline_task.train_pipeline, works)
    if len(members) == 1:
        [keys] = members.values()
    else:
        works = [
            pipeline_task.plan_combination(
                {name: keys[place] for name, keys in members.items()},
                s.train.combination(),
                subject="refit" if fold is None else f"fold {fold + 1}",
            )
            for place, fold in enumerate(places)
        ]
        keys = dispatch.keys(pipeline_task.combine_models, works)
    *fold_keys, refit = keys
    patients = {
        case.patient: folds.folds[case.id] for batch in batches for case in batch.members if case.id in folds.folds
    }
    return Models(fold_of=patients, folds=tuple(fold_keys), refit=refit, note=folds.note)


def without_problems(run: Run, batches: Sequence[Batch], stage: str) -> list[Batch]:
    """The batches without the pictures that a stage could not use; each of these is excluded with its reason."""
    left = []
    for batch in batches:
        key = batch.keys[stage]
        problems = json.loads((run.store.open(stage, key) / "facts.json").read_text())["problems"]
        members = {case.id for case in batch.members}
        run.dispatch.exclude(stage, key, {case: why for case, why in problems.items() if case in members})
        rest = batch.without(problems)
        left += [rest] if rest.members else []
    return left


def lost_cases(inbox: ingest.ReceivedPictures, batches: Sequence[Batch]) -> dict[str, list[Case]]:
    """Cases that were received and did not come through, by the class of their folder."""
    through = {case.id for batch in batches for case in batch.members}
    lost: dict[str, list[Case]] = {}
    for case in inbox.cases:
        label = inbox.files[case.id].class_name
        if case.id not in through and label is not None:
            lost.setdefault(label, []).append(case)
    return lost


def publish_pictures(
    run: Run,
    s: PictureStudySettings,
    inbox: ingest.ReceivedPictures,
    batches: Sequence[Batch],
    models: Models,
    scores: str | None,
    gallery: str | None,
    synthetic: SyntheticPictures = NONE_MADE,
) -> RunSummary:
    """Write the report, and fill outbox, summary and dashboard from it."""
    accounts = account_pictures(run, inbox, batches)
    notes = ["Image level: whose pictures these are is not known, so a patient may be in several folds."]
    notes += [note for note in (models.note, synthetic.note) if note]
    work = report.plan(
        batches,
        s.report,
        study=s.model_dump(mode="json"),
        models=models.by_name,
        evaluation=scores,
        gallery=gallery,
        synthesis=synthetic.judgement,
        accounting=accounts,
        notes=notes,
    )
    return publish(run, run.dispatch.one(report.write_report, work), accounts, scores, notes)


def account_pictures(run: Run, inbox: ingest.ReceivedPictures, batches: Sequence[Batch]) -> Accounting:
    """Where every file has gone. A file counts as one series; a damaged picture counts as quarantined."""
    found, exclusions = inbox.inbox, run.dispatch.exclusions
    damaged = {one.case: one.reason for one in exclusions if one.stage in ("ingest", "annotate")}
    at_the_door = [LeftOut(series=f"file {note.digest[:12]}", reason=note.reason) for note in found.quarantined]
    inside = [LeftOut(series=case, reason=reason) for case, reason in damaged.items()]
    return Accounting(
        series_seen=found.series_seen,
        used=len(found.pictures) - len(damaged),
        set_aside=tuple(LeftOut(series=f"file {note.digest[:12]}", reason=note.reason) for note in found.set_aside),
        quarantined=(*at_the_door, *inside),
        waiting=len(found.waiting),
        received=len(inbox.cases),
        analysed=sum(len(batch.members) for batch in batches),
        excluded=tuple(Excluded(case=one.case, stage=one.stage, reason=one.reason) for one in exclusions),
    )


def night_settings(trained: Mapping[str, object]) -> PictureStudySettings:
    """Settings of the study that trained the network, as a night needs them. The outbox is ``<name>-night``."""
    s = PictureStudySettings.model_validate(trained)
    return s.model_copy(update={"name": f"{s.name}-night", "description": f"Screened with {s.name}"})
