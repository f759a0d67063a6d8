"""The stages ``ingest`` (images) and ``annotate`` (label maps) of a study of segmentation.

As in `tasks.ingest.task`, files are known by path, and paths may name patients: nothing of them leaves this file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from prefect import task

from storage.artifacts import ArtifactStore
from storage.case import Case
from storage.errors import CaseError
from tasks.ingest.anonymous import anonymous_errors
from tasks.ingest.deidentify import Pseudonyms
from tasks.ingest.labelled_volumes import scan_volumes
from tasks.ingest.segmentation_settings import SegmentationSettings, StructureSettings, VolumeSettings
from tasks.ingest.volume_inbox import FoundVolume, VolumeInbox
from tasks.task import Stage, Work, stage_task

LIBRARIES = ("numpy", "pillow", "scikit-image", "scipy", "SimpleITK", "zarr")
STAGE = Stage("ingest", libraries=LIBRARIES, places=("tasks.ingest.segmentation_task",))
ANNOTATE = Stage("annotate", libraries=LIBRARIES, places=("tasks.ingest.segmentation_task",))
IMAGE = "image"
"""What the one image of a case is called."""


@dataclass(frozen=True)
class ReceivedVolumes:
    """What lies in the inbox: the cases by digest, the files of each, and what became of everything else."""

    cases: list[Case]
    files: Mapping[str, FoundVolume]
    inbox: VolumeInbox


@task(name="scan inbox", task_run_name="scan inbox", persist_result=False)
def receive(
    data: str, settings: SegmentationSettings, key: bytes, *, annotated: bool = True, quiet_seconds: float = 0.0
) -> ReceivedVolumes:
    """Look at every file of the inbox and pair images with label maps; ``annotated``: whether these are wanted."""
    pseudonyms = Pseudonyms(key)
    with anonymous_errors():
        inbox = scan_volumes(Path(data), settings, pseudonyms, annotated=annotated, quiet_seconds=quiet_seconds)
    cases: list[Case] = []
    files: dict[str, FoundVolume] = {}
    for found in inbox.volumes:
        name, unknown = pseudonyms.picture(found.image.digest)
        patient = unknown if found.patient is None else pseudonyms.patient(found.patient)
        files[name] = found
        cases.append(Case(id=name, patient=patient, digest=found.image.digest))
    return ReceivedVolumes(cases, files, inbox)


def plan_ingest(case: Case, found: FoundVolume, settings: SegmentationSettings, key: bytes) -> Work:
    """Reading the image of a case."""
    inputs = {"image": found.image.digest, "pseudonym_key": Pseudonyms(key).fingerprint}
    return STAGE.plan(VolumeSettings(unit=settings.unit), subject=case.id, inputs=inputs, carried=found.image.path)


def plan_annotate(case: Case, found: FoundVolume, settings: SegmentationSettings) -> Work:
    """Reading the label map of an ingested case."""
    label_map = found.label_map
    inputs = {"ingest": case.keys["ingest"], "label_map": label_map.digest if label_map else None}
    if label_map and label_map.fault:
        inputs["fault"] = label_map.fault
    return ANNOTATE.plan(
        StructureSettings(structures=settings.structures),
        subject=case.id,
        inputs=inputs,
        carried=label_map.path if label_map else None,
    )


@stage_task("ingest")
def ingest_volume(work: Work, _store: ArtifactStore, folder: Path) -> None:
    """Store the image as a volume of this project."""
    import numpy as np

    from storage.ome_zarr import write_volume
    from tasks.imaging.duplicate_volumes import volume_thumbnails
    from tasks.imaging.image_file import read_image_file

    unit = VolumeSettings.model_validate(work.settings).unit
    with anonymous_errors("image"):
        volume = read_image_file(work.carried, "image", unit=unit)
    write_volume(folder / f"{IMAGE}.zarr", volume, name=IMAGE)
    np.save(folder / f"{IMAGE}.thumbnails.npy", volume_thumbnails(volume.array))
    (folder / "facts.json").write_text(json.dumps({IMAGE: {"unit": unit, "shape": list(volume.shape)}}, indent=1))


@stage_task("annotate")
def annotate_volume(work: Work, store: ArtifactStore, folder: Path) -> None:
    """Store the label map, on the grid of its image; ``facts.json`` has the volume of each structure in ml, or null."""
    import numpy as np

    from storage.ome_zarr import open_volume, write_volume
    from tasks.imaging.image_file import check_same_grid, read_image_file
    from tasks.imaging.structures import to_classes, to_labels

    if work.carried is None:
        (folder / "facts.json").write_text(json.dumps({"volumes_ml": None}))
        return
    if "fault" in work.inputs:
        raise CaseError(f"the label map cannot be used: {work.inputs['fault']}")
    structures = StructureSettings.model_validate(work.settings).structures
    grid = open_volume(store.open("ingest", work.inputs["ingest"]) / f"{IMAGE}.zarr").grid
    with anonymous_errors("label map"):
        found = read_image_file(work.carried, "label map", unit="label")
    check_same_grid(found, grid, "label map")
    try:
        classes = to_classes(found.array, structures)
    except ValueError as error:
        raise CaseError(str(error)) from error
    write_volume(folder / "labels.zarr", grid.with_array(to_labels(classes, structures), unit="label"), name="labels")
    voxels = np.bincount(classes.ravel(), minlength=len(structures) + 1)[1:]
    volumes = {name: round(float(n) * grid.voxel_ml, 6) for name, n in zip(structures, voxels, strict=True)}
    (folder / "facts.json").write_text(json.dumps({"volumes_ml": volumes}, indent=1))


def structure_volumes_ml(folder: Path) -> dict[str, float] | None:
    """Volume of each structure of an annotation artifact, in ml; ``None`` when nobody annotated the case."""
    volumes: dict[str, float] | None = json.loads((folder / "facts.json").read_text())["volumes_ml"]
    return volumes
