"""The stage ``train`` for segmentation: the network of one fold, or the refit on all. It belongs on a GPU."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from storage.artifacts import ArtifactStore
from storage.case import Case
from storage.mlflow_curve import Experiment
from tasks.imaging.structures import Structures
from tasks.leakage import Pair, check_apart
from tasks.model_kinds import SEGMENTERS
from tasks.task import Stage, Work, stage_task
from tasks.train.followed_task import followed
from tasks.train.segmentation_settings import SegmentationSettings

if TYPE_CHECKING:
    from storage.ome_zarr import StoredVolume
    from tasks.imaging.step import Facts
    from tasks.train.segmentation_volumes import LabelledVolume

STAGE = Stage(
    "train",
    libraries=("monai", "numpy", "safetensors", "scikit-image", "scipy", "SimpleITK", "torch", "zarr"),
    places=("tasks.train.segmentation_task", "tasks.train.segmentation", *SEGMENTERS),
)
IN_MEMORY = 2**28
"""Voxels of all images together that are held in memory with their class maps while a network learns, 5 bytes each; of
more, windows are read from disk."""


def plan(
    cases: Sequence[Case],
    settings: SegmentationSettings,
    *,
    structures: Structures,
    subject: str,
    folds: str,
    tested: Sequence[Case],
    fitted: Facts | None = None,
    experiment: Experiment | None = None,
) -> Work:
    """Training on these cases, all that the network will ever see.

    Parameters
    ----------
    folds
        Key of the split.
    tested
        Cases that the network will be tested on; none for the refit.
    fitted
        What a step of normalize has learnt from the same patients; whoever applies the network has to prepare images
        with it.
    experiment
        Of the study on the site's MLflow server; ``None``: it has none.
    """
    members = [
        {
            "case": case.id,
            "patient": case.patient,
            "digest": case.digest,
            **{stage: case.keys[stage] for stage in ("normalize", "annotate")},
        }
        for case in sorted(cases, key=lambda case: case.digest)
    ]
    inputs = {
        "cases": members,
        "tested": sorted(case.id for case in tested),
        "split": folds,
        "structures": structures,
        "fitted": fitted,
    }
    return STAGE.plan(settings, subject=subject, inputs=inputs, carried=experiment, devices=settings.engine.devices)


@stage_task("train", gpu=True)
def train_segmenter(work: Work, store: ArtifactStore, folder: Path) -> None:
    """Train a segmenter; whoever follows it sees how far it is, and what every epoch gave."""
    from storage.deep import save_network
    from storage.segmenter import SegmenterCard
    from tasks.deep.device import best_device
    from tasks.threads import thread_budget
    from tasks.train.segmentation import fit_segmenter

    settings = SegmentationSettings.model_validate(work.settings)
    groups, workshop = _groups_without_leakage(work, store), store.workshop(work.stage, work.key)
    with followed(work, settings, folder, epochs=settings.engine.epochs) as tell:
        trained = fit_segmenter(
            labelled_volumes(store, work.inputs["cases"], work.inputs["structures"], groups, workshop),
            work.inputs["structures"],
            settings,
            threads=thread_budget(),
            device=best_device(),
            checkpoint=workshop / "checkpoint.pt",
            on_epoch=tell,
        )
    card = {name: value for name, value in vars(trained).items() if name != "fitted"}
    card |= {name: value for name, value in vars(trained.fitted).items() if name != "state"}
    save_network(folder, trained.fitted.state, SegmenterCard.model_validate(card))


def _groups_without_leakage(work: Work, store: ArtifactStore) -> dict[str, str]:
    """Group of each case: whoever shows nearly the same counts as one patient. ``LeakageError`` where one is torn."""
    split = store.read_json("split", work.inputs["split"], "folds.json")
    learned = [member["case"] for member in work.inputs["cases"]]
    groups: dict[str, str] = split["groups"]
    check_apart(learned, work.inputs["tested"], groups, [Pair(*pair) for pair in split["pairs"]])
    return groups


def labelled_volumes(
    store: ArtifactStore,
    members: Sequence[Mapping[str, Any]],
    structures: Mapping[str, int],
    groups: Mapping[str, str],
    workshop: Path,
) -> list[LabelledVolume]:
    """Normalized images with class maps on the same grid.

    Where they are many, images are left where they are, and class maps are written into the workshop, piece by piece.
    """
    from storage.ome_zarr import open_volume
    from tasks.train.segmentation_volumes import LabelledVolume

    images = [open_volume(store.open("normalize", member["normalize"]) / "image.zarr") for member in members]
    few = sum(image.array.size for image in images) <= IN_MEMORY
    found = []
    for member, image in zip(members, images, strict=True):
        labels = open_volume(store.open("annotate", member["annotate"]) / "labels.zarr")
        classes = _class_map(labels, image, structures, None if few else workshop / f"{member['digest']}.zarr")
        found.append(
            LabelledVolume(
                digest=member["digest"],
                patient=groups[member["case"]],
                image=image.read().array if few else image.array,
                classes=classes,
                spacing_mm=image.spacing_mm,
                direction=image.direction,
                unit=image.unit,
            )
        )
    return found


def _class_map(labels: StoredVolume, image: StoredVolume, structures: Mapping[str, int], place: Path | None) -> Any:
    """The class of each voxel of an image, uint8: of NumPy, or of Zarr at a place."""
    import numpy as np

    from storage.ome_zarr import create_volume
    from tasks.train.segmentation_volumes import classes_onto

    classes: Any
    if place is None:
        classes = np.zeros(image.shape, np.uint8)
    else:
        classes = create_volume(
            place,
            shape=image.shape,
            dtype=np.uint8,
            spacing_mm=image.spacing_mm,
            origin_mm=image.origin_mm,
            direction=image.direction,
            unit="label",
            name="classes",
        )
    for box, part in classes_onto(labels.array, labels.grid, image.grid, structures):
        classes[box] = part
    return classes
