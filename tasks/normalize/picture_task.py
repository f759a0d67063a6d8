"""The stage ``normalize`` for pictures: one frame and one size for a bucket of them."""

from __future__ import annotations

import json
from pathlib import Path

from storage.artifacts import ArtifactStore
from storage.case import Batch
from storage.errors import CaseError
from tasks.imaging.catalog import modules_of
from tasks.normalize.pictures import PictureSettings
from tasks.task import Stage, Work, stage_task

STAGE = Stage(
    "normalize",
    libraries=("numba", "numpy", "pandas", "PyWavelets", "scikit-image", "scipy", "SimpleITK", "zarr"),
    places=("tasks.normalize.picture_task",),
)


def plan(batch: Batch, settings: PictureSettings) -> Work:
    """The steps of the study on the pictures of a bucket, and their framing."""
    inputs = {"ingest": batch.keys["ingest"]}
    return STAGE.standing_on(modules_of(settings.steps)).plan(
        settings, subject=batch.id, inputs=inputs, cases=len(batch.members)
    )


@stage_task("normalize")
def frame_bucket(work: Work, store: ArtifactStore, folder: Path) -> None:
    """Do the steps and frame each picture; one that shows nothing is left out, and ``facts.json`` says why."""
    from tasks.imaging.picture_files import StoredPicture, read_pictures, write_pictures
    from tasks.normalize.pictures import normalize_picture

    settings = PictureSettings.model_validate(work.settings)
    problems: dict[str, str] = {}
    framed: list[StoredPicture] = []
    for picture in read_pictures(store.open("ingest", work.inputs["ingest"])):
        try:
            pixels = normalize_picture(picture.pixels, settings)
        except CaseError as error:
            problems[picture.case] = str(error)
        else:
            framed.append(StoredPicture(picture.digest, picture.case, picture.patient, pixels))
    write_pictures(folder, framed)
    (folder / "facts.json").write_text(json.dumps({"problems": problems}, indent=1, sort_keys=True))
