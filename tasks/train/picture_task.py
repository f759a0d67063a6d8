"""The stage ``train`` for pictures: the network of one fold, or the refit on every picture. It belongs on a GPU."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from prefect import get_run_logger
from prefect.artifacts import create_progress_artifact, create_table_artifact, update_progress_artifact

from storage.artifacts import ArtifactStore
from storage.case import Batch
from tasks.discover import MODELS, NETWORKS, part
from tasks.task import Stage, Work, stage_task
from tasks.train.network_settings import NetworkSettings

if TYPE_CHECKING:
    from tasks.networks import EpochRecord

STAGE = Stage(
    "train",
    libraries=("numpy", "pandas", "safetensors", "scipy", "torch", "torchvision", "zarr"),
    places=("tasks.train.picture_task", *NETWORKS),
)


def plan(batches: Sequence[Batch], settings: NetworkSettings, *, folds: str, fold: int | None) -> Work:
    """Training on the pictures outside a fold, all that this network will ever see; ``None``: on every picture.

    Parameters
    ----------
    folds
        Key of the split.
    """
    inputs = {
        "buckets": [{name: batch.keys[name] for name in ("normalize", "annotate")} for batch in batches],
        "cases": sorted(case.id for batch in batches for case in batch.members),
        "split": folds,
        "fold": fold,
        # The cache of weights may be filled between two nights.
        "weights": part(MODELS, settings.model).weights_digest(settings.of_model()),
    }
    return STAGE.plan(settings, subject="refit" if fold is None else f"fold {fold + 1}", inputs=inputs)


@stage_task("train", gpu=True)
def train_network(work: Work, store: ArtifactStore, folder: Path) -> None:
    """Train a network; the dashboard shows how far it is, and at its end the loss of every epoch."""
    import numpy as np

    from storage.deep import NetworkCard, save_network
    from tasks.imaging.picture_files import read_pictures
    from tasks.networks import best_device
    from tasks.threads import thread_budget
    from tasks.train.network import fit_network

    settings = NetworkSettings.model_validate(work.settings)
    split = json.loads((store.open("split", work.inputs["split"]) / "folds.json").read_text())
    wanted = set(work.inputs["cases"])
    learned = {case for case, fold in split["folds"].items() if fold != work.inputs["fold"] and case in wanted}
    found = []
    for bucket in work.inputs["buckets"]:
        classes = json.loads((store.open("annotate", bucket["annotate"]) / "classes.json").read_text())
        pictures = read_pictures(store.open("normalize", bucket["normalize"]), cases=learned)
        found += [(picture.digest, picture.case, classes[picture.case], picture.pixels) for picture in pictures]
    found.sort(key=lambda one: one[0])
    fitted = fit_network(
        np.stack([pixels for *_, pixels in found]),
        [split["classes"].index(label) for _, _, label, _ in found],
        [split["groups"][case] for _, case, _, _ in found],
        settings,
        classes=len(split["classes"]),
        seed=settings.seed,
        threads=thread_budget(),
        device=best_device(),
        on_epoch=_live(work.subject, settings.epochs),
    )
    save_network(folder, fitted.state, NetworkCard(**fitted.facts(), class_names=tuple(split["classes"])))


def _live(subject: str, epochs: int) -> Callable[[EpochRecord], None]:
    """Shows each epoch in the dashboard. A dashboard that is out of reach stops no training."""
    name = subject.replace(" ", "-")
    rows: list[dict[str, str]] = []
    shown: list[object] = []

    def show(record: EpochRecord) -> None:
        values = vars(record).items()
        rows.append({key: f"{value:.4g}" if isinstance(value, float) else str(value) for key, value in values})
        try:
            if not shown:
                about = f"Epochs of {subject}"
                shown.append(create_progress_artifact(progress=0.0, key=f"training-{name}", description=about))
            update_progress_artifact(artifact_id=shown[0], progress=100.0 * record.epoch / epochs)  # type: ignore[arg-type]
            if record.epoch == epochs:
                create_table_artifact(key=f"loss-{name}", table=rows, description=f"Loss and accuracy of {subject}")
        except Exception as error:
            get_run_logger().warning("the dashboard does not take the progress: %s", type(error).__name__)

    return show
