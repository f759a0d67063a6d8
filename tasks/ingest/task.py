"""The stages ``ingest`` (images) and ``annotate`` (what people drew on them): no feature ever sees an annotation.

Files are known here by path, and paths may name patients. So every error that is not ours is replaced by its kind: what
Prefect shows and logs carries pseudonyms alone.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from prefect import task

from storage.artifacts import ArtifactStore
from storage.case import Case
from storage.errors import CaseError
from storage.volume import Volume
from tasks.ingest.anonymous import anonymous_errors
from tasks.ingest.deidentify import Pseudonyms
from tasks.ingest.inbox import scan_inbox
from tasks.ingest.select import Examination, Selection, select_cases
from tasks.ingest.settings import AnnotationSelector, RecropSettings, Settings
from tasks.settings import StageSettings
from tasks.task import Stage, Work, stage_task

STAGE = Stage(
    "ingest", libraries=("numpy", "pillow", "pydicom", "pylibjpeg", "scikit-image", "scipy", "SimpleITK", "zarr")
)
ANNOTATE = Stage(
    "annotate",
    libraries=("numba", "numpy", "pydicom", "scikit-image", "scipy", "SimpleITK", "zarr"),
    places=("tasks.ingest.rtstruct", "tasks.ingest.task"),
)


class ReadSettings(StageSettings):
    """What of ingest's settings changes an image that was already chosen."""

    recrop: RecropSettings | None


class ContourSettings(StageSettings):
    """What of ingest's settings changes an annotation; ``None`` when the study reads none."""

    annotation: AnnotationSelector | None


@dataclass(frozen=True)
class _Files:
    """Where the files are tonight, and who can rename what is in them."""

    images: dict[str, tuple[Path, ...]]
    annotation: Path | None
    pseudonyms: Pseudonyms
    problem: str | None


@task(name="scan inbox", task_run_name="scan inbox", persist_result=False)
def receive(data: str, settings: Settings, key: bytes) -> Selection:
    """Look at every file of the inbox and choose the cases."""
    with anonymous_errors():
        return select_cases(scan_inbox(Path(data), quiet_seconds=settings.quiet_seconds), settings, Pseudonyms(key))


def plan_ingest(examination: Examination, settings: Settings, key: bytes) -> Work:
    """Reading the images of an examination."""
    pseudonyms = Pseudonyms(key)
    digests = {name: [file.digest for file in series.files] for name, series in examination.images.items()}
    inputs = {"images": digests, "problem": examination.problem, "pseudonym_key": pseudonyms.fingerprint}
    return STAGE.plan(
        ReadSettings(recrop=settings.recrop),
        subject=examination.case,
        inputs=inputs,
        carried=_files(examination, pseudonyms),
    )


def plan_annotate(case: Case, examination: Examination, settings: Settings, key: bytes) -> Work:
    """Reading the annotation of an ingested case."""
    inputs = {"ingest": case.keys["ingest"], "structure_set": examination.annotation_digest}
    carried = _files(examination, Pseudonyms(key))
    return ANNOTATE.plan(
        ContourSettings(annotation=settings.annotation), subject=case.id, inputs=inputs, carried=carried
    )


@stage_task("ingest")
def ingest_case(work: Work, _store: ArtifactStore, folder: Path) -> None:
    """Fuse the slices of each image into a volume, cut it if the study asks for it, and note its facts.

    Thumbnails are of the whole, so that split finds the same examination under another patient.
    """
    from storage.ome_zarr import write_volume
    from tasks.imaging.duplicate_volumes import volume_thumbnails
    from tasks.ingest.series import read_series

    files: _Files = work.carried
    recrop = ReadSettings.model_validate(work.settings).recrop
    if files.problem:
        raise CaseError(files.problem)
    digest = _digest(work.inputs["images"])
    facts: dict[str, Any] = {}
    for name, paths in sorted(files.images.items()):
        with anonymous_errors(f"image '{name}'"):
            read = read_series(paths)
        volume, start = _cut(read.volume, digest, recrop)
        write_volume(folder / f"{name}.zarr", volume, name=name)
        np.save(folder / f"{name}.thumbnails.npy", volume_thumbnails(np.asarray(read.volume.array)))
        facts[name] = {
            "modality": read.modality,
            "unit": read.unit,
            "shape_as_received": list(read.volume.shape),
            "crop_start_zyx": list(start),
            "instances": [files.pseudonyms.uid(uid) for uid in read.instance_uids],
            "header": read.facts,
            "voxels": hashlib.sha256(np.ascontiguousarray(read.volume.array).tobytes()).hexdigest(),
        }
    (folder / "facts.json").write_text(json.dumps(facts, indent=1, sort_keys=True))


@stage_task("annotate")
def annotate_case(work: Work, store: ArtifactStore, folder: Path) -> None:
    """Turn contours into a label image on the grid of their image: lesion 1, 2, …; 0 elsewhere.

    ``facts.json`` tells how many lesions there are, ``null`` when nobody annotated the case. A lesion that a cut took
    away altogether is in the facts about contours, and no lesion of this image.
    """
    from storage.ome_zarr import read_volume, write_volume
    from tasks.ingest.rtstruct import annotation_labels, read_contours

    files: _Files = work.carried
    selector = ContourSettings.model_validate(work.settings).annotation
    if selector is None or files.annotation is None:
        (folder / "facts.json").write_text(json.dumps({"lesions": None, "volumes_ml": None}))
        return
    ingest = store.open("ingest", work.inputs["ingest"])
    volume = read_volume(ingest / f"{selector.image}.zarr")
    facts = json.loads((ingest / "facts.json").read_text())[selector.image]
    whole = _as_received(volume, facts)
    with anonymous_errors("structure set"):
        labels, found = annotation_labels(read_contours(files.annotation), whole, selector.roi)
    start = tuple(facts["crop_start_zyx"])
    stop = tuple(a + n for a, n in zip(start, volume.shape, strict=True))
    kept = whole.with_array(labels, unit="label").crop(start, stop)
    left = np.asarray([label for label in np.unique(kept.array) if label], dtype=np.int64)
    lesions = np.where(kept.array > 0, np.searchsorted(left, kept.array) + 1, 0).astype(np.uint16)
    write_volume(folder / "lesions.zarr", kept.with_array(lesions), name="lesions")
    volumes = [round(float(count) * kept.voxel_ml, 6) for count in np.bincount(lesions.ravel())[1:]]
    (folder / "facts.json").write_text(
        json.dumps({"lesions": len(left), "volumes_ml": volumes, "contours": dict(found)}, indent=1)
    )


def lesion_volumes_ml(folder: Path) -> list[float] | None:
    """Volumes of the lesions of an annotation artifact, in ml; ``None`` when nobody annotated the case."""
    volumes: list[float] | None = json.loads((folder / "facts.json").read_text())["volumes_ml"]
    return volumes


def _files(examination: Examination, pseudonyms: Pseudonyms) -> _Files:
    images = {name: tuple(file.path for file in series.files) for name, series in examination.images.items()}
    annotation = examination.annotation.files[0].path if examination.annotation else None
    return _Files(images, annotation, pseudonyms, examination.problem)


def _digest(images: dict[str, list[str]]) -> str:
    files = sorted({digest for digests in images.values() for digest in digests})
    return hashlib.sha256("\n".join(files).encode()).hexdigest()


def _cut(volume: Volume, digest: str, recrop: RecropSettings | None) -> tuple[Volume, tuple[int, int, int]]:
    from tasks.ingest.recrop import recrop_box

    if recrop is None:
        return volume, (0, 0, 0)
    start, stop = recrop_box(volume.shape, volume.spacing_mm, digest=digest, max_mm=recrop.max_mm)
    return volume.crop(start, stop), start


def _as_received(volume: Volume, facts: dict[str, Any]) -> Volume:
    """The grid of the image before it was cut. Its values are not needed, so they take no room."""
    x, y, z = volume.to_world_mm(-np.asarray(facts["crop_start_zyx"]))
    empty = np.broadcast_to(np.uint8(0), tuple(facts["shape_as_received"]))
    return Volume(empty, volume.spacing_mm, (float(x), float(y), float(z)), volume.direction, "label")
