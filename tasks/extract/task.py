"""The stage ``extract``: one feature table per case, with its data dictionary."""

from __future__ import annotations

from pathlib import Path

from storage.artifacts import ArtifactStore
from storage.case import Case
from tasks.extract.settings import Settings
from tasks.task import Stage, Work, stage_task

STAGE = Stage(
    "extract",
    libraries=("numpy", "pandas", "PyWavelets", "scipy", "scikit-image", "SimpleITK"),
    places=("tasks.extract.task", "tasks.extract.families"),
)


def plan(case: Case, settings: Settings) -> Work:
    """Features of the candidates of a case."""
    return STAGE.plan(
        settings, subject=case.id, inputs={"normalize": case.keys["normalize"], "sample": case.keys["sample"]}
    )


@stage_task("extract")
def extract_case(work: Work, store: ArtifactStore, folder: Path) -> None:
    """Compute the feature families of the study for every candidate of the case."""
    from storage.ome_zarr import read_volume
    from tasks.extract.table import data_dictionary, extract_features
    from tasks.imaging.candidate_files import read_candidates

    settings = Settings.model_validate(work.settings)
    image = read_volume(store.open("normalize", work.inputs["normalize"]) / "image.zarr")
    candidates = read_candidates(store.open("sample", work.inputs["sample"]))
    extract_features(image, candidates, settings).to_parquet(folder / "features.parquet", index=False)
    data_dictionary(settings, unit=image.unit).to_parquet(folder / "dictionary.parquet", index=False)
