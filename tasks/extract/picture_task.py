"""The stage ``extract`` for pictures: hand-made features, for classical models and for the rules they have to beat.

``describe_synthetic`` is the same for synthetic pictures, and a stage of its own: these are in no count of pictures.
"""

from __future__ import annotations

from pathlib import Path

from storage.artifacts import ArtifactStore
from storage.case import Batch
from tasks.extract.picture_registry import load_picture_family
from tasks.extract.picture_settings import PictureSettings
from tasks.task import Stage, Work, stage_task

STAGE = Stage(
    "extract",
    libraries=("numba", "numpy", "pandas", "PyWavelets", "scipy", "scikit-image", "SimpleITK", "zarr"),
    places=("tasks.extract.picture_task",),
)
SYNTHETIC = Stage("describe_synthetic", libraries=STAGE.libraries, places=STAGE.places)


def plan(batch: Batch, settings: PictureSettings) -> Work:
    """Features of the pictures of a bucket."""
    inputs = {stage: batch.keys[stage] for stage in ("ingest", "normalize")}
    stage = STAGE.standing_on(load_picture_family(name).module for name in settings.computed)
    return stage.plan(settings, subject=batch.id, inputs=inputs, cases=len(batch.members))


def plan_synthetic(key: str, settings: PictureSettings, *, subject: str) -> Work:
    """Features of the synthetic pictures of a fold; ``key``: of ``synthesize``."""
    stage = SYNTHETIC.standing_on(load_picture_family(name).module for name in settings.computed)
    return stage.plan(settings, subject=subject, inputs={"synthesize": key})


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


@stage_task("describe_synthetic")
def describe_synthetic(work: Work, store: ArtifactStore, folder: Path) -> None:
    """Write one row of features per synthetic picture, beside what says that it is one."""
    import pandas as pd

    from tasks.extract.pictures import picture_features
    from tasks.imaging.picture_files import read_pictures

    settings = PictureSettings.model_validate(work.settings)
    made = store.open("synthesize", work.inputs["synthesize"])
    rows = [picture_features(one.pixels, one.pixels, settings) for one in read_pictures(made)]
    table = pd.read_parquet(made / "provenance.parquet")
    pd.concat([table, pd.DataFrame(rows)], axis=1).to_parquet(folder / "features.parquet", index=False)
