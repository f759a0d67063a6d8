"""The stage ``patches``: labelled patches of one annotated case, for networks that learn from them.

Here annotations are read, as train may. What is drawn depends on the image's digest, so it is the same for whoever
draws it, and for every fold: a fold takes the patches of its training patients.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from storage.artifacts import ArtifactStore
from storage.case import Case
from tasks.task import Stage, Work, stage_task
from tasks.train.patch_settings import PatchSettings

if TYPE_CHECKING:
    import numpy.typing as npt

    from tasks.imaging.candidate_set import CandidateSet
    from tasks.imaging.patch_table import Group

STAGE = Stage(
    "patches",
    libraries=("numba", "numpy", "pandas", "scipy", "SimpleITK", "zarr"),
    places=("tasks.train.patch_task",),
)


def plan(case: Case, settings: PatchSettings) -> Work:
    """The patches of a normalized, sampled and annotated case."""
    inputs = {
        "digest": case.digest,
        "patient": case.patient,
        **{stage: case.keys[stage] for stage in ("normalize", "sample", "annotate")},
    }
    return STAGE.plan(settings, subject=case.id, inputs=inputs)


@stage_task("patches")
def cut_patches(work: Work, store: ArtifactStore, folder: Path) -> None:
    """Choose the patches, label them, and write them."""
    import json

    import numpy as np

    from storage.errors import CaseError
    from storage.ome_zarr import read_volume
    from tasks.imaging.candidate_files import read_candidates
    from tasks.imaging.patch_files import PatchFacts, write_patches
    from tasks.imaging.patch_table import centres_of, cut_all, patch_table
    from tasks.imaging.resample import resample_onto
    from tasks.train.patches import choose_patches

    settings = PatchSettings.model_validate(work.settings)
    annotation = store.open("annotate", work.inputs["annotate"])
    if json.loads((annotation / "facts.json").read_text())["lesions"] is None:
        raise CaseError("no annotation: patches of this case cannot be labelled")
    sample = store.open("sample", work.inputs["sample"])
    image = read_volume(store.open("normalize", work.inputs["normalize"]) / "image.zarr")
    body = np.asarray(read_volume(sample / "body.zarr").array) > 0
    lesions = np.asarray(resample_onto(read_volume(annotation / "lesions.zarr"), image).array)
    candidates = read_candidates(sample)
    groups = choose_patches(
        lesions,
        body,
        candidates,
        settings,
        digest=work.inputs["digest"],
        spacing_mm=image.spacing_mm,
    )
    who = {name: work.inputs[name] for name in ("digest", "patient")}
    table = patch_table(groups, image, settings.patch, **who, lesions=lesions)
    centres = centres_of(table)
    write_patches(
        folder,
        table,
        cut_all(image, centres, settings.patch),
        (settings.patch.cut(lesions, centre, outside=0) for centre in centres),
        PatchFacts(settings.patch, image.spacing_mm, image.direction, image.unit, settings.seed),
        candidates=_masks(groups, candidates, settings, image.array.shape) if settings.show_candidate else None,
    )


def _masks(
    groups: Sequence[Group], candidates: CandidateSet, settings: PatchSettings, shape: Sequence[int]
) -> Iterator[npt.NDArray[Any]]:
    """The candidate in each patch."""
    from tasks.patch_model import cut_candidate

    for group in groups:
        for centre, row in zip(group.centres, group.candidates, strict=True):
            yield cut_candidate(candidates, int(row), centre, settings.patch, shape)
