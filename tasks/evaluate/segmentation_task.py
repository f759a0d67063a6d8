"""The stages ``atlas`` (plain rules learn), ``match`` (one case is compared) and ``evaluate`` for segmentation."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from storage.artifacts import ArtifactStore
from storage.case import Case
from tasks.evaluate.segmentation_settings import CompareSettings, SegmentationSettings
from tasks.settings import NoSettings
from tasks.task import Stage, Work, stage_task

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from tasks.imaging.structures import ClassMap, Structures

LIBRARIES = ("numpy", "safetensors", "scipy", "SimpleITK", "zarr")
PLACES = ("tasks.evaluate.segmentation_task",)
ATLAS = Stage("atlas", LIBRARIES, PLACES)
MATCH = Stage("match", LIBRARIES, PLACES)
STAGE = Stage("evaluate", LIBRARIES, PLACES)


def plan_atlas(cases: Sequence[Case], *, structures: Structures, subject: str) -> Work:
    """What plain rules learn from the training cases of one fold."""
    ordered = sorted(cases, key=lambda case: case.digest)
    members = [{stage: case.keys[stage] for stage in ("normalize", "annotate")} for case in ordered]
    return ATLAS.plan(NoSettings(), subject=subject, inputs={"cases": members, "structures": structures})


def plan_match(case: Case, settings: SegmentationSettings, *, structures: Structures, atlas: str | None) -> Work:
    """Comparing a segmented case with its annotation; ``atlas``: key of the plain rules of its fold, or ``None``."""
    keys = {stage: case.keys[stage] for stage in ("normalize", "annotate", "detect")}
    inputs = {**keys, "structures": structures, "atlas": atlas}
    return MATCH.plan(CompareSettings(tolerance_mm=settings.tolerance_mm), subject=case.id, inputs=inputs)


def plan(
    cases: Sequence[Case], lost: Sequence[Case], settings: SegmentationSettings, *, groups: Mapping[str, str]
) -> Work:
    """Metrics of the cohort.

    Parameters
    ----------
    lost
        Annotated cases that did not come through.
    groups
        By case whom it counts for, where that is not its patient alone: who shows nearly the same is one.
    """

    def unit(case: Case) -> str:
        return groups.get(case.id, case.patient)

    inputs = {
        "cases": sorted([case.digest, unit(case), case.keys["match"]] for case in cases),
        "lost": sorted([case.digest, unit(case)] for case in lost),
    }
    return STAGE.plan(settings, subject="cohort", inputs=inputs)


@stage_task("atlas")
def learn_rules(work: Work, store: ArtifactStore, folder: Path) -> None:
    """Learn what is usual at each place, and which intensities each structure has."""
    from safetensors.numpy import save_file

    from tasks.evaluate.atlas import learn_atlas

    structures = work.inputs["structures"]

    def cases() -> Iterator[tuple[npt.NDArray[Any], ClassMap]]:
        for keys in work.inputs["cases"]:
            yield _prepared(store, keys, structures)

    atlas = learn_atlas(cases(), classes=len(structures) + 1)
    save_file(vars(atlas), folder / "atlas.safetensors")


@stage_task("match")
def compare_case(work: Work, store: ArtifactStore, folder: Path) -> None:
    """Compare what the network says of a case, and the plain rules where there are any, with its annotation."""
    from safetensors.numpy import load

    from storage.ome_zarr import open_volume, read_volume
    from tasks.evaluate.atlas import RULES, Atlas
    from tasks.evaluate.segmentation_measures import compare
    from tasks.evaluate.segmentation_scores import OURS
    from tasks.imaging.resample import resample_onto
    from tasks.imaging.structures import to_classes

    inputs, structures = work.inputs, work.inputs["structures"]
    truth = read_volume(store.open("annotate", inputs["annotate"]) / "labels.zarr")
    seen = open_volume(store.open("normalize", inputs["normalize"]) / "image.zarr")
    detected = read_volume(store.open("detect", inputs["detect"]) / "labels.zarr")
    found = {OURS: to_classes(detected.array, structures)}
    if inputs["atlas"]:
        atlas = Atlas(**load((store.open("atlas", inputs["atlas"]) / "atlas.safetensors").read_bytes()))
        image = seen.read().array
        for name, rule in RULES.items():
            found[name] = resample_onto(seen.grid.with_array(rule(atlas, image)), truth).array
    annotated = to_classes(truth.array, structures)
    tolerance_mm = CompareSettings.model_validate(work.settings).tolerance_mm
    measures = {
        name: compare(classes, annotated, structures, spacing_mm=truth.spacing_mm, tolerance_mm=tolerance_mm)
        for name, classes in found.items()
    }
    (folder / "match.json").write_text(json.dumps(measures, indent=1))


@stage_task("evaluate")
def evaluate_segmentations(work: Work, store: ArtifactStore, folder: Path) -> None:
    """Gather what single cases gave into metrics with intervals."""
    from tasks.evaluate.segmentation_scores import Compared, score_segmentations

    cases = [Compared(patient, digest, read_match(store, key)) for digest, patient, key in work.inputs["cases"]]
    cases += [Compared(patient, digest, None) for digest, patient in work.inputs["lost"]]
    evaluation = score_segmentations(cases, SegmentationSettings.model_validate(work.settings))
    (folder / "evaluation.json").write_text(json.dumps(evaluation, indent=1))


def read_match(store: ArtifactStore, key: str) -> dict[str, Any]:
    """Measures of one case by rule and structure."""
    measures: dict[str, Any] = store.read_json("match", key, "match.json")
    return measures


def _prepared(
    store: ArtifactStore, keys: dict[str, str], structures: Structures
) -> tuple[npt.NDArray[np.float32], ClassMap]:
    """A normalized image, and the class of each of its voxels."""
    from storage.ome_zarr import read_volume
    from tasks.imaging.resample import resample_onto
    from tasks.imaging.structures import to_classes

    image = read_volume(store.open("normalize", keys["normalize"]) / "image.zarr")
    labels = read_volume(store.open("annotate", keys["annotate"]) / "labels.zarr")
    return image.array, to_classes(resample_onto(labels, image).array, structures)
