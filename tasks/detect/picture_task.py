"""The stage ``detect`` for pictures: the class of each, by a model that never saw it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from storage.artifacts import ArtifactStore
from storage.case import Batch
from tasks.model_kinds import NETWORKS, ON_PICTURES, PIPELINES
from tasks.settings import NoSettings
from tasks.task import Stage, Work, stage_task

STAGE = Stage(
    "detect",
    libraries=(
        "numpy",
        "pandas",
        "safetensors",
        "scikit-image",
        "scikit-learn",
        "scipy",
        "SimpleITK",
        "skops",
        "torch",
        "torchvision",
        "zarr",
    ),
    places=("tasks.detect.picture_task", *NETWORKS, *PIPELINES, *ON_PICTURES),
)


def plan(batch: Batch, models: Mapping[str, str], *, features: bool) -> Work:
    """Classifying the pictures of a bucket, each with the model that ``models`` names for its case.

    ``features``: whether one of the models asks for what ``extract`` has computed.
    """
    inputs = {
        **{stage: batch.keys[stage] for stage in ("normalize", *(("extract",) if features else ()))},
        "models": {case.id: models[case.id] for case in batch.members},
    }
    return STAGE.plan(NoSettings(), subject=batch.id, inputs=inputs, cases=len(batch.members))


@stage_task("detect", gpu=True)
def classify_bucket(work: Work, store: ArtifactStore, folder: Path) -> None:
    """Write class and probabilities of each picture; of several models together also what each of them says."""
    import numpy as np
    import pandas as pd

    from tasks.imaging.picture_files import read_pictures
    from tasks.load_model import load_picture_model
    from tasks.picture_model import Combination

    models: dict[str, str] = work.inputs["models"]
    pictures = list(read_pictures(store.open("normalize", work.inputs["normalize"]), cases=models))
    table = None
    if "extract" in work.inputs:
        table = pd.read_parquet(store.open("extract", work.inputs["extract"]) / "features.parquet").set_index("case")
    predictions = {}
    for model in sorted(set(models.values())):
        mine = [picture for picture in pictures if models[picture.case] == model]
        if not mine:
            continue
        fitted = load_picture_model(store, model)
        shown = np.stack([picture.pixels for picture in mine])
        rows = None if table is None else table.loc[[picture.case for picture in mine]]
        each = fitted.each(shown, rows) if isinstance(fitted, Combination) else {}
        found = fitted.together(each) if isinstance(fitted, Combination) else fitted.predict(shown, rows)
        for place, picture in enumerate(mine):
            predictions[picture.case] = {
                "class": fitted.class_names[int(found[place].argmax())],
                "probabilities": _named(fitted.class_names, found[place]),
                "model": model,
                "members": {name: _named(fitted.class_names, said[place]) for name, said in each.items()},
            }
    (folder / "predictions.json").write_text(json.dumps(predictions, indent=1, sort_keys=True))


def _named(class_names: Sequence[str], probabilities: Iterable[float]) -> dict[str, float]:
    return dict(zip(class_names, map(float, probabilities), strict=True))
