"""The stage ``windows``: patches of one image side by side, without labels, for networks that search it."""

from __future__ import annotations

from pathlib import Path

from storage.artifacts import ArtifactStore
from storage.case import Case
from tasks.sample.patch_settings import PatchSettings
from tasks.task import Stage, Work, stage_task

STAGE = Stage(
    "windows", libraries=("numba", "numpy", "pandas", "scipy", "SimpleITK", "zarr"), places=("tasks.sample.patch_task",)
)


def plan(case: Case, settings: PatchSettings) -> Work:
    """The patches of a normalized and sampled case."""
    inputs = {
        "digest": case.digest,
        "patient": case.patient,
        **{stage: case.keys[stage] for stage in ("normalize", "sample")},
    }
    return STAGE.plan(settings, subject=case.id, inputs=inputs)


@stage_task("windows")
def cut_windows(work: Work, store: ArtifactStore, folder: Path) -> None:
    """Cut the patches that touch the body, in scan order."""
    import numpy as np

    from storage.ome_zarr import read_volume
    from tasks.imaging.patch_files import PatchFacts, write_patches
    from tasks.imaging.patch_table import Group, centres_of, cut_all, patch_table
    from tasks.imaging.patches import grid_within

    settings = PatchSettings.model_validate(work.settings)
    image = read_volume(store.open("normalize", work.inputs["normalize"]) / "image.zarr")
    body = np.asarray(read_volume(store.open("sample", work.inputs["sample"]) / "body.zarr").array) > 0
    groups = [Group("grid", grid_within(body, settings.patch, settings.grid))]
    who = {name: work.inputs[name] for name in ("digest", "patient")}
    table = patch_table(groups, image, settings.patch, **who, lesions=None)
    facts = PatchFacts(settings.patch, image.spacing_mm, image.direction, image.unit, seed=0)
    write_patches(folder, table, cut_all(image, centres_of(table), settings.patch), None, facts)
