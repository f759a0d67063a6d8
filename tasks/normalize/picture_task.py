"""The stage ``normalize`` for pictures: one frame and one size for a bucket of them."""

from __future__ import annotations

import json
from pathlib import Path

from storage.artifacts import ArtifactStore
from storage.case import Batch
from storage.errors import CaseError
from tasks.imaging.picture_frame import Settings
from tasks.task import Stage, Work, stage_task

STAGE = Stage(
    "normalize",
    libraries=("numpy", "pandas", "scipy", "scikit-image", "SimpleITK", "zarr"),
    places=("tasks.normalize.picture_task",),
)


def plan(batch: Batch, settings: Settings) -> Work:
    """Framing the pictures of a bucket."""
    inputs = {"ingest": batch.keys["ingest"]}
    return STAGE.plan(settings, subject=batch.id, inputs=inputs, cases=len(batch.members))


@stage_task("normalize")
def frame_bucket(work: Work, store: ArtifactStore, folder: Path) -> None:
    """Frame each picture; one that shows nothing is left out, and ``facts.json`` says why."""
    from tasks.imaging.picture_files import StoredPicture, read_pictures, write_pictures
    from tasks.imaging.picture_frame import frame_picture

    settings = Settings.model_validate(work.settings)
    problems: dict[str, str] = {}
    framed: list[StoredPicture] = []
    for picture in read_pictures(store.open("ingest", work.inputs["ingest"])):
        try:
            pixels = frame_picture(picture.pixels, settings)
        except CaseError as error:
            problems[picture.case] = str(error)
        else:
            framed.append(StoredPicture(picture.digest, picture.case, picture.patient, pixels))
    write_pictures(folder, framed)
    (folder / "facts.json").write_text(json.dumps({"problems": problems}, indent=1, sort_keys=True))
