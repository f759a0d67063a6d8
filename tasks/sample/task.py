"""The stage ``sample``: body, searched organ and candidate regions of one case."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from storage.artifacts import ArtifactStore
from storage.case import Case
from tasks.imaging.finder import modules_of
from tasks.sample.settings import Settings
from tasks.task import Stage, Work, stage_task

LIBRARIES = ("numba", "numpy", "pandas", "pydicom", "scipy", "scikit-image", "SimpleITK", "zarr")
STAGE = Stage("sample", libraries=LIBRARIES)


def plan(case: Case, settings: Settings) -> Work:
    """Sampling of a normalized case."""
    stage = STAGE.standing_on((*modules_of(settings.finders), "tasks.imaging.organs"))
    inputs = {"normalize": case.keys["normalize"]}
    mask = settings.mask_file(case)
    if mask is not None and mask.is_file():  # another mask, another key
        inputs["mask"] = hashlib.sha256(mask.read_bytes()).hexdigest()
    return stage.plan(settings, subject=case.id, inputs=inputs, carried=mask)


@stage_task("sample")
def sample_case(work: Work, store: ArtifactStore, folder: Path) -> None:
    """Find the candidates of the normalized image; an image without any is an answer, not a fault."""
    from storage.ome_zarr import read_volume, write_volume
    from tasks.imaging.candidate_files import write_candidates
    from tasks.sample.candidates import find_candidates
    from tasks.sample.search_region import search_region

    settings = Settings.model_validate(work.settings)
    image = read_volume(store.open("normalize", work.inputs["normalize"]) / "image.zarr")
    body, organ = search_region(image, settings, work.carried)
    write_candidates(folder, find_candidates(image, settings, within=organ.mask))
    for name, labels in (("body", body.astype("uint8")), ("organ", organ.labels)):
        write_volume(folder / f"{name}.zarr", image.with_array(labels, unit="label"), name=name)
    (folder / "organ.json").write_text(json.dumps(organ.quality(), indent=1))
