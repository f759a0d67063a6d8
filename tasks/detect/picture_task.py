"""The stage ``detect`` for pictures: the class of each, by a network that never saw it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from storage.artifacts import ArtifactStore
from storage.case import Batch
from tasks.discover import NETWORKS
from tasks.settings import NoSettings
from tasks.task import Stage, Work, stage_task

STAGE = Stage(
    "detect",
    libraries=("numpy", "pandas", "safetensors", "torch", "torchvision", "zarr"),
    places=("tasks.detect.picture_task", *NETWORKS),
)


def plan(batch: Batch, models: Mapping[str, str]) -> Work:
    """Classifying the pictures of a bucket, each with the network that ``models`` names for its case."""
    inputs = {"normalize": batch.keys["normalize"], "models": {case.id: models[case.id] for case in batch.members}}
    return STAGE.plan(NoSettings(), subject=batch.id, inputs=inputs, cases=len(batch.members))


@stage_task("detect", gpu=True)
def classify_bucket(work: Work, store: ArtifactStore, folder: Path) -> None:
    """Write class and probabilities of each picture."""
    import numpy as np

    from storage.deep import load_network
    from tasks.imaging.picture_files import read_pictures
    from tasks.networks import FittedNetwork, best_device, predict_network
    from tasks.threads import thread_budget

    models: dict[str, str] = work.inputs["models"]
    pictures = list(read_pictures(store.open("normalize", work.inputs["normalize"]), cases=models))
    predictions = {}
    for model in sorted(set(models.values())):
        mine = [picture for picture in pictures if models[picture.case] == model]
        if not mine:
            continue
        state, card = load_network(store.open("train", model))
        fitted = FittedNetwork.from_facts(state, card.facts())
        shown = np.stack([picture.pixels for picture in mine])
        found = predict_network(fitted, shown, threads=thread_budget(), device=best_device())
        for picture, probabilities in zip(mine, found, strict=True):
            predictions[picture.case] = {
                "class": card.class_names[int(probabilities.argmax())],
                "probabilities": dict(zip(card.class_names, map(float, probabilities), strict=True)),
                "model": model,
            }
    (folder / "predictions.json").write_text(json.dumps(predictions, indent=1, sort_keys=True))
