"""The stage ``normalize``: one OME-Zarr volume on the study's grid per case."""

from __future__ import annotations

from pathlib import Path

from storage.artifacts import ArtifactStore
from storage.case import Case
from tasks.normalize.settings import Settings
from tasks.task import Stage, Work, stage_task

STAGE = Stage("normalize", libraries=("numpy", "scipy", "scikit-image", "SimpleITK", "zarr"))


def plan(case: Case, settings: Settings, *, image: str) -> Work:
    """Normalization of one image of an ingested case."""
    return STAGE.plan(settings, subject=case.id, inputs={"ingest": case.keys["ingest"], "image": image})


@stage_task("normalize")
def normalize_case(work: Work, store: ArtifactStore, folder: Path) -> None:
    """Normalize the image ``inputs["image"]`` of the ingest artifact ``inputs["ingest"]``."""
    from storage.ome_zarr import read_volume, write_volume
    from tasks.normalize.chain import normalize

    source = store.open("ingest", work.inputs["ingest"]) / f"{work.inputs['image']}.zarr"
    write_volume(folder / "image.zarr", normalize(read_volume(source), Settings.model_validate(work.settings)))
