"""The stage ``extract`` for pictures: hand-made features, for classical models and for the rules they have to beat."""

from __future__ import annotations

from pathlib import Path

from storage.artifacts import ArtifactStore
from storage.case import Batch
from tasks.extract.picture_registry import load_picture_family
from tasks.extract.picture_settings import PictureSettings
from tasks.task import Stage, Work, stage_task

STAGE = Stage(
    "extract",
    libraries=("numpy", "pandas", "scipy", "scikit-image", "SimpleITK", "zarr"),
    places=("tasks.extract.picture_task",),
)


def plan(batch: Batch, settings: PictureSettings) -> Work:
    """Features of the pictures of a bucket."""
    inputs = {stage: batch.keys[stage] for stage in ("ingest", "normalize")}
    stage = STAGE.standing_on(load_picture_family(name).module for name in settings.computed)
    return stage.plan(settings, subject=batch.id, inputs=inputs, cases=len(batch.members))


@stage_task("extract")
def describe_bucket(work: Work, store: ArtifactStore, folder: Path) -> None:
    """Write one row of features per picture, with its case."""
    import pandas as pd

    from tasks.extract.pictures import picture_features
    from tasks.imaging.picture_files import read_pictures

    settings = PictureSettings.model_validate(work.settings)
    originals = {one.case: one.pixels for one in read_pictures(store.open("ingest", work.inputs["ingest"]))}
    framed = read_pictures(store.open("normalize", work.inputs["normalize"]))
    rows = [{"case": one.case, **picture_features(originals[one.case], one.pixels, settings)} for one in framed]
    pd.DataFrame(rows).to_parquet(folder / "features.parquet", index=False)
