"""The stage ``split`` for pictures: near-duplicates are found first, and stay together."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from storage.artifacts import ArtifactStore
from storage.case import Batch
from storage.errors import CaseError
from tasks.split.picture_folds import Member, PictureFolds, PictureSplit, picture_folds
from tasks.task import Stage, Work, stage_task

if TYPE_CHECKING:
    from tasks.imaging.picture_frame import Pixels

STAGE = Stage(
    "split",
    libraries=("numpy", "pandas", "scipy", "scikit-image", "SimpleITK", "zarr"),
    places=("tasks.split.picture_task",),
)


def plan(batches: Sequence[Batch], settings: PictureSplit) -> Work:
    """Folds of all pictures whose class is known."""
    inputs = {
        "buckets": [{"ingest": batch.keys["ingest"], "annotate": batch.keys["annotate"]} for batch in batches],
        "cases": sorted(case.id for batch in batches for case in batch.members),
    }
    return STAGE.plan(settings, subject="cohort", inputs=inputs)


@stage_task("split")
def split_pictures(work: Work, store: ArtifactStore, folder: Path) -> None:
    """Find what shows nearly the same, and deal whole groups into folds."""
    import numpy as np

    from tasks.imaging.duplicates import duplicate_groups
    from tasks.imaging.picture_files import read_pictures

    settings = PictureSplit.model_validate(work.settings)
    wanted = set(work.inputs["cases"])
    found = []
    for bucket in work.inputs["buckets"]:
        classes = store.read_json("annotate", bucket["annotate"], "classes.json")
        pictures = read_pictures(store.open("ingest", bucket["ingest"]), cases=wanted)
        found += [(one.digest, one.case, classes[one.case], _thumbnails(one.pixels)) for one in pictures]
    found.sort(key=lambda one: one[0])
    stack = [thumbs for *_, thumbs in found]
    groups = duplicate_groups(np.stack(stack), settings.duplicates).tolist() if found else []
    members = [
        Member(case, digest, int(group), label)
        for (digest, case, label, _), group in zip(found, groups, strict=True)
        if label is not None
    ]
    duplicates = len(found) - len({int(group) for group in groups})
    folds = picture_folds(members, settings, duplicates=duplicates)
    (folder / "folds.json").write_text(json.dumps(asdict(folds), indent=1, sort_keys=True))


def _thumbnails(pixels: Pixels) -> Pixels:
    """Of a picture of one colour: nothing, which is like no other. Normalize says what is wrong with it."""
    import numpy as np

    from tasks.imaging.duplicates import SIDE, thumbnails

    try:
        return thumbnails(pixels)
    except CaseError:
        return np.zeros((2, SIDE, SIDE), dtype=np.uint8)


def read_folds(folder: Path) -> PictureFolds:
    """The fold table of an artifact."""
    content = json.loads((folder / "folds.json").read_text())
    return PictureFolds(**{**content, "classes": tuple(content["classes"])})
