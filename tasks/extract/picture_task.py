"""The stage ``extract`` for pictures: hand-made features, for the plain rules that a network has to beat."""

from __future__ import annotations

from pathlib import Path

from storage.artifacts import ArtifactStore
from storage.case import Batch
from tasks.settings import NoSettings
from tasks.task import Stage, Work, stage_task

STAGE = Stage(
    "extract",
    libraries=("numpy", "pandas", "scipy", "scikit-image", "SimpleITK", "zarr"),
    places=("tasks.extract.picture_task",),
)


def plan(batch: Batch) -> Work:
    """Features of the pictures of a bucket."""
    inputs = {stage: batch.keys[stage] for stage in ("ingest", "normalize")}
    return STAGE.plan(NoSettings(), subject=batch.id, inputs=inputs, cases=len(batch.members))


@stage_task("extract")
def describe_bucket(work: Work, store: ArtifactStore, folder: Path) -> None:
    """Write one row of features per picture, with its case."""
    import pandas as pd

    from tasks.extract.pictures import picture_features
    from tasks.imaging.picture_files import read_pictures

    originals = {one.case: one.pixels for one in read_pictures(store.open("ingest", work.inputs["ingest"]))}
    framed = read_pictures(store.open("normalize", work.inputs["normalize"]))
    rows = [{"case": one.case, **picture_features(originals[one.case], one.pixels)} for one in framed]
    pd.DataFrame(rows).to_parquet(folder / "features.parquet", index=False)
