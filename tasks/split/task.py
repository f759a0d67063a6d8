"""The stage ``split``: one fold table for the cohort, right after ingest."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from storage.artifacts import ArtifactStore
from tasks.split.folds import Folds, Member, patient_folds
from tasks.split.settings import Settings
from tasks.task import Stage, Work, stage_task

STAGE = Stage("split", libraries=())


def plan(members: Sequence[Member], settings: Settings) -> Work:
    """Folds of all annotated cases."""
    ordered = sorted(members, key=lambda member: member.digest)
    return STAGE.plan(settings, subject="cohort", inputs={"members": [asdict(member) for member in ordered]})


@stage_task("split")
def split_cohort(work: Work, _store: ArtifactStore, folder: Path) -> None:
    """Deal the patients of ``inputs["members"]`` into folds."""
    settings = Settings.model_validate(work.settings)
    members = [Member(**member) for member in work.inputs["members"]]
    folds = patient_folds(members, folds=settings.folds, seed=settings.seed)
    (folder / "folds.json").write_text(json.dumps(asdict(folds), indent=1, sort_keys=True))


def read_folds(folder: Path) -> Folds:
    """The fold table of an artifact."""
    return Folds(**json.loads((folder / "folds.json").read_text()))
