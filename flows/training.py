"""Which model may score whom: one model per fold, and the refit on everyone.

Inside a study a case is scored by the model of its own fold, which never saw its patient. The refit is for new
patients; a case without annotation is in no fold and trained nothing, so the refit scores it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from flows.dispatch import Dispatch, StageFailedError
from flows.patch_models import train_on_patches
from flows.preparing import REFIT, Prepared, fold_name
from flows.settings import StudySettings
from storage.case import Case
from storage.mlflow_curve import experiment_of
from tasks.ingest.task import lesion_volumes_ml
from tasks.leakage import Gate
from tasks.split import task as split
from tasks.split.folds import Folds, Member
from tasks.task import Outcome
from tasks.train import task as train
from tasks.train.settings import MINIMUM_PATIENTS


@dataclass(frozen=True)
class Models:
    """Keys of the models of one study: by fold, and of the refit.

    ``note``: why there are none, or what whoever reads their figures should know.
    """

    fold_of: Mapping[str, int] = field(default_factory=dict)
    folds: tuple[str, ...] = ()
    refit: str | None = None
    note: str | None = None

    @property
    def by_name(self) -> dict[str, str]:
        """Keys by ``"fold 1"`` … ``"refit"``."""
        return {fold_name(fold): key for fold, key in enumerate(self.folds)} | (
            {REFIT: self.refit} if self.refit else {}
        )

    def of(self, case: Case) -> str:
        """The model that may score a case."""
        fold = self.fold_of.get(case.patient)
        key = self.refit if fold is None else self.folds[fold]
        if key is None:
            raise StageFailedError(f"no model may score {case.id}: {self.note}")
        return key


def train_models(dispatch: Dispatch, prepared: Prepared, folds: Folds, settings: StudySettings) -> Models:
    """Train the model of every fold on the annotated cases of the patients outside it, and the refit on all."""
    known = {
        case.id
        for case in prepared.cases
        if lesion_volumes_ml(dispatch.store.open("annotate", case.keys["annotate"])) is not None
    }
    members = training_members(prepared, folds, known)
    if isinstance(members, Models):
        return members
    gates = {subject: gate_of(prepared, folds, chosen, subject) for subject, chosen in members.items()}
    on_patches = train_on_patches(dispatch, members, gates, settings.train, experiment_of(settings.name))
    if isinstance(on_patches, str):
        return Models(note=on_patches)
    most = settings.detect.max_findings
    works = [
        train.plan(
            chosen,
            settings.train,
            gate=gates[subject],
            subject=subject,
            most=most,
            fitted=prepared.fitted.get(subject),
            on_patches=on_patches[subject],
            image=settings.image if settings.train.harmonization else None,
        )
        for subject, chosen in members.items()
    ]
    return trained_models(dispatch.all(train.train_model, works), folds)


def training_members(prepared: Prepared, folds: Folds, annotated: Collection[str]) -> dict[str, list[Case]] | Models:
    """The cases that each model learns from, by ``"fold 1"`` … ``"refit"``; no models where they are too few, and why.

    ``annotated``: the cases, by pseudonym, that can be learned from.
    """
    known = {case.id for case in prepared.cases if case.patient in folds.patients and case.id in annotated}
    if folds.count == 0 or not known:
        return Models(note=folds.note or "nothing is trained: no annotated case came through")
    members = {name: [case for case in prepared.for_model(name) if case.id in known] for name in _names(folds)}
    for k in range(folds.count):
        members[fold_name(k)] = [case for case in members[fold_name(k)] if folds.patients[case.patient] != k]
    for subject, chosen in members.items():
        if len({case.patient for case in chosen}) < MINIMUM_PATIENTS:
            return Models(
                note=f"nothing is trained: exclusions leave fewer than {MINIMUM_PATIENTS} patients to train {subject}"
            )
    return members


def gate_of(prepared: Prepared, folds: Folds, chosen: Sequence[Case], subject: str) -> Gate:
    """The leakage gate of the model of a fold, or of the refit, which is tested on nobody."""
    own = next((fold for fold in range(folds.count) if fold_name(fold) == subject), None)
    held_out = {case.id for case in prepared.cases if own is not None and folds.patients.get(case.patient) == own}
    return Gate({case.id for case in chosen}, held_out, folds.groups, folds.pairs)


def trained_models(outcomes: Sequence[Outcome], folds: Folds) -> Models:
    """The models of all folds and the refit, in this order; none where one cannot be trained, and why.

    Raises
    ------
    StageFailedError
        When a training failed.
    """
    for outcome in outcomes:
        if outcome.failure:
            raise StageFailedError(f"train {outcome.subject}: {outcome.failure}")
        if outcome.verdict:
            return Models(note=f"nothing is trained: {outcome.subject}: {outcome.verdict}")
    *fold_keys, refit = (outcome.key for outcome in outcomes)
    return Models(fold_of=folds.patients, folds=tuple(fold_keys), refit=refit, note=folds.note)


def _names(folds: Folds) -> list[str]:
    return [*map(fold_name, range(folds.count)), REFIT]


def deal_folds(dispatch: Dispatch, cases: Sequence[Case], settings: StudySettings) -> Folds:
    """Deal the patients of all annotated cases into folds."""
    lesions = {case.id: lesion_volumes_ml(dispatch.store.open("annotate", case.keys["annotate"])) for case in cases}
    counts = {case: None if (found := lesions[case]) is None else len(found) for case in lesions}
    members = [Member(case.patient, case.digest, counts[case.id], case.id, case.keys["ingest"]) for case in cases]
    key = dispatch.one(split.split_cohort, split.plan(members, settings.split, image=settings.image))
    return split.read_folds(dispatch.store.open("split", key))
