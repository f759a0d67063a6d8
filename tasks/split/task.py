"""The stage ``split``: one fold table for the cohort, right after ingest."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from storage.artifacts import ArtifactStore
from tasks.leakage import Pair
from tasks.split.folds import Folds, Member, patient_folds
from tasks.split.settings import Settings
from tasks.task import Stage, Work, stage_task

STAGE = Stage("split", libraries=("numpy", "scikit-image", "scipy", "SimpleITK"))


def plan(members: Sequence[Member], settings: Settings, *, image: str | None = None) -> Work:
    """Folds of all annotated cases.

    ``image``: name of the image in which patients are looked for that show nearly the same; ``None``: nowhere.
    """
    ordered = sorted(members, key=lambda member: member.digest)
    inputs = {"members": [asdict(member) for member in ordered], "image": image}
    return STAGE.plan(settings, subject="cohort", inputs=inputs)


@stage_task("split")
def split_cohort(work: Work, store: ArtifactStore, folder: Path) -> None:
    """Deal the patients of ``inputs["members"]`` into folds, those that show nearly the same into one."""
    settings = Settings.model_validate(work.settings)
    members = [Member(**member) for member in work.inputs["members"]]
    image = work.inputs["image"]
    pairs = near_duplicates(store, members, image, settings) if image else []
    folds = patient_folds(members, folds=settings.folds, seed=settings.seed, pairs=pairs)
    (folder / "folds.json").write_text(json.dumps(asdict(folds), indent=1, sort_keys=True))


def near_duplicates(store: ArtifactStore, members: Sequence[Member], image: str, settings: Settings) -> list[Pair]:
    """Pairs of cases of different patients whose images show nearly the same."""
    import numpy as np

    from tasks.imaging.duplicate_volumes import duplicate_volumes

    if not members:
        return []
    folders = [store.open("ingest", str(member.ingest)) for member in members]
    thumbs = np.stack([np.load(folder / f"{image}.thumbnails.npy", allow_pickle=False) for folder in folders])
    found = duplicate_volumes(thumbs, settings.duplicates)
    return [
        Pair(members[first].case, members[second].case, correlation)
        for (first, second), correlation in found.items()
        if members[first].patient != members[second].patient
    ]


def read_folds(folder: Path) -> Folds:
    """The fold table of an artifact."""
    content = json.loads((folder / "folds.json").read_text())
    return Folds(**{**content, "pairs": tuple(Pair(*pair) for pair in content["pairs"])})
