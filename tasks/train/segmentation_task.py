"""The stage ``train`` for segmentation: the network of one fold, or the refit on all. It belongs on a GPU."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prefect import get_run_logger
from prefect.artifacts import create_progress_artifact, create_table_artifact, update_progress_artifact

from storage.artifacts import ArtifactStore
from storage.case import Case
from tasks.discover import SEGMENTERS
from tasks.imaging.structures import Structures
from tasks.leakage import Pair, check_apart
from tasks.task import Stage, Work, stage_task
from tasks.train.segmentation_settings import SegmentationSettings

if TYPE_CHECKING:
    from tasks.imaging.step import Facts
    from tasks.train.record import EpochRecord
    from tasks.train.segmentation_lesson import LabelledVolume

STAGE = Stage(
    "train",
    libraries=("monai", "numpy", "safetensors", "scikit-image", "scipy", "SimpleITK", "torch", "zarr"),
    places=("tasks.train.segmentation_task", "tasks.train.segmentation", *SEGMENTERS),
)
IN_MEMORY = 2**28
"""Voxels of all images together that are held in memory while a network learns; of more, windows are read from disk."""


def plan(
    cases: Sequence[Case],
    settings: SegmentationSettings,
    *,
    structures: Structures,
    subject: str,
    folds: str,
    tested: Sequence[Case],
    fitted: Facts | None = None,
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
    return STAGE.plan(settings, subject=subject, inputs=inputs)


@stage_task("train", gpu=True)
def train_segmenter(work: Work, store: ArtifactStore, folder: Path) -> None:
    """Train a segmenter; the dashboard shows how far it is, and at its end the loss of every epoch."""
    from storage.deep import save_network
    from storage.segmenter import SegmenterCard
    from tasks.deep.networks import best_device
    from tasks.threads import thread_budget
    from tasks.train.segmentation import fit_segmenter

    settings = SegmentationSettings.model_validate(work.settings)
    groups = _groups_without_leakage(work, store)
    trained = fit_segmenter(
        labelled_volumes(store, work.inputs["cases"], work.inputs["structures"], groups),
        work.inputs["structures"],
        settings,
        threads=thread_budget(),
        device=best_device(),
        checkpoint=store.workshop(work.stage, work.key) / "checkpoint.pt",
        on_epoch=_live(work.subject, settings.engine.epochs),
    )
    card = {name: value for name, value in vars(trained).items() if name != "fitted"}
    card |= {name: value for name, value in vars(trained.fitted).items() if name != "state"}
    save_network(folder, trained.fitted.state, SegmenterCard.model_validate(card))


def _groups_without_leakage(work: Work, store: ArtifactStore) -> dict[str, str]:
    """Group of each case: whoever shows nearly the same counts as one patient. ``LeakageError`` where one is torn."""
    split = json.loads((store.open("split", work.inputs["split"]) / "folds.json").read_text())
    learned = [member["case"] for member in work.inputs["cases"]]
    groups: dict[str, str] = split["groups"]
    check_apart(learned, work.inputs["tested"], groups, [Pair(*pair) for pair in split["pairs"]])
    return groups


def labelled_volumes(
    store: ArtifactStore,
    members: Sequence[Mapping[str, Any]],
    structures: Mapping[str, int],
    groups: Mapping[str, str],
) -> list[LabelledVolume]:
    """Normalized images with their label maps on the same grid; images are left on disk where they are many."""
    from storage.ome_zarr import open_volume, read_volume
    from tasks.imaging.resample import resample_onto
    from tasks.imaging.structures import to_classes
    from tasks.train.segmentation_lesson import LabelledVolume

    images = [open_volume(store.open("normalize", member["normalize"]) / "image.zarr") for member in members]
    few = sum(image.array.size for image in images) <= IN_MEMORY
    found = []
    for member, image in zip(members, images, strict=True):
        labels = read_volume(store.open("annotate", member["annotate"]) / "labels.zarr")
        found.append(
            LabelledVolume(
                digest=member["digest"],
                patient=groups[member["case"]],
                image=image.read().array if few else image.array,
                classes=to_classes(resample_onto(labels, image.grid).array, structures),
                spacing_mm=image.spacing_mm,
                direction=image.direction,
                unit=image.unit,
            )
        )
    return found


def _live(subject: str, epochs: int) -> Callable[[EpochRecord], None]:
    """Shows each epoch in the dashboard. A dashboard that is out of reach stops no training."""
    name = subject.replace(" ", "-")
    rows: list[dict[str, str]] = []
    shown: list[Any] = []

    def show(record: EpochRecord) -> None:
        numbers = {f"training {what}": value for what, value in record.training.items()}
        numbers |= {f"held-out {what}": value for what, value in record.held_out.items()}
        rows.append({"epoch": str(record.epoch), **{what: f"{value:.4g}" for what, value in numbers.items()}})
        try:
            if not shown:
                about = f"Epochs of {subject}"
                shown.append(create_progress_artifact(progress=0.0, key=f"training-{name}", description=about))
            update_progress_artifact(artifact_id=shown[0], progress=100.0 * record.epoch / epochs)
            if record.epoch == epochs:
                create_table_artifact(key=f"loss-{name}", table=rows, description=f"Loss and Dice of {subject}")
        except Exception as error:
            get_run_logger().warning("the dashboard does not take the progress: %s", type(error).__name__)

    return show
