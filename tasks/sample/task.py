"""The stage ``sample``: body mask and candidate regions of one case."""

from __future__ import annotations

from pathlib import Path

from storage.artifacts import ArtifactStore
from storage.case import Case
from tasks.sample.settings import Settings
from tasks.task import Stage, Work, stage_task

STAGE = Stage("sample", libraries=("numpy", "pandas", "scipy", "scikit-image", "SimpleITK", "zarr"))


def plan(case: Case, settings: Settings) -> Work:
    """Sampling of a normalized case."""
    return STAGE.plan(settings, subject=case.id, inputs={"normalize": case.keys["normalize"]})


@stage_task("sample")
def sample_case(work: Work, store: ArtifactStore, folder: Path) -> None:
    """Find the candidates of the normalized image; an image without any is an answer, not a fault."""
    from storage.ome_zarr import read_volume, write_volume
    from tasks.imaging.candidate_files import write_candidates
    from tasks.sample.candidates import body_of, find_candidates

    settings = Settings.model_validate(work.settings)
    image = read_volume(store.open("normalize", work.inputs["normalize"]) / "image.zarr")
    body = body_of(image, settings)
    write_candidates(folder, find_candidates(image, settings))
    write_volume(folder / "body.zarr", image.with_array(body.astype("uint8"), unit="label"), name="body")
