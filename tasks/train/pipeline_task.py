"""The stage ``train`` for pictures, classical models: one fold's, or the refit; and several models put together."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import compress
from pathlib import Path
from typing import Any, NamedTuple

from storage.artifacts import ArtifactStore
from storage.case import Batch
from storage.picture_cards import MODEL, CombinationCard, PipelineCard, load_picture_card, save_card
from tasks.classical.pipelines import SELECTION
from tasks.discover import MODELS
from tasks.leakage import check_apart
from tasks.task import Stage, Work, stage_task
from tasks.train.picture_settings import CombinationSettings, PipelineSettings

STAGE = Stage(
    "train",
    libraries=("numpy", "pandas", "pgmpy", "scikit-image", "scikit-learn", "scipy", "skops", "torch", "zarr"),
    places=("tasks.train.pipeline_task",),
)


def plan_pipeline(batches: Sequence[Batch], settings: PipelineSettings, *, folds: str, fold: int | None) -> Work:
    """Training on the pictures outside a fold, all that this model will ever see; ``None``: on every picture."""
    stages = ("annotate", "extract") if settings.families else ("annotate", "normalize")
    inputs = {
        "buckets": [{stage: batch.keys[stage] for stage in stages} for batch in batches],
        "cases": {case.id: case.digest for batch in batches for case in batch.members},
        "split": folds,
        "fold": fold,
    }
    parts = [f"{MODELS}.{settings.model}", *(f"{SELECTION}.{selector.name}" for selector in settings.selection)]
    subject = f"{settings.model} {'refit' if fold is None else f'fold {fold + 1}'}"
    return STAGE.standing_on(parts).plan(settings, subject=subject, inputs=inputs)


def plan_combination(members: Mapping[str, str], settings: CombinationSettings, *, subject: str) -> Work:
    """Putting models together that learned from the same pictures: the key of each by its name."""
    return STAGE.plan(settings, subject=subject, inputs={"members": dict(members)})


@stage_task("train")
def train_pipeline(work: Work, store: ArtifactStore, folder: Path) -> None:
    """Fit a classical model on the training pictures of a fold, calibrated on inner folds."""
    import numpy as np

    from storage.classical import save_model
    from tasks.train.pipeline_fit import fit_pipeline

    settings = PipelineSettings.model_validate(work.settings)
    split = json.loads((store.open("split", work.inputs["split"]) / "folds.json").read_text())
    fold_of, wanted = split["folds"], set(work.inputs["cases"])
    learned = {case for case, fold in fold_of.items() if fold != work.inputs["fold"] and case in wanted}
    check_apart(learned, {case for case in fold_of if case not in learned and case in wanted}, split["groups"])
    found = [one for bucket in work.inputs["buckets"] for one in _learned(bucket, store, settings, learned)]
    found.sort(key=lambda one: str(work.inputs["cases"][one.case]))
    fitted = fit_pipeline(
        np.stack([one.values for one in found]),
        [split["classes"].index(one.label) for one in found],
        [fold_of[one.case] for one in found],
        settings,
        classes=len(split["classes"]),
    )
    columns = found[0].columns
    save_model(folder / MODEL, fitted.pipeline)
    save_card(
        folder,
        PipelineCard(
            model=settings.model,
            options=settings.options,
            columns=columns,
            kept=tuple(compress(columns or (), () if fitted.kept is None else fitted.kept)),
            class_names=tuple(split["classes"]),
            temperature=fitted.temperature,
            pictures=len(found),
            inner_loss=fitted.inner_loss,
            inner_accuracy=fitted.inner_accuracy,
        ),
    )


@stage_task("train")
def combine_models(work: Work, store: ArtifactStore, folder: Path) -> None:
    """Weigh the members that answer together: all alike, or the one that was best on pictures it had not seen."""
    settings = CombinationSettings.model_validate(work.settings)
    members: dict[str, str] = work.inputs["members"]
    said = {name: _inner(store.open("train", key)) for name, key in members.items()}
    best = min(settings.together, key=lambda name: (said[name].loss, settings.together.index(name)))
    chosen = settings.together if settings.combine == "mean" else (best,)
    weights = {name: (name in chosen) / len(chosen) for name in members}
    save_card(folder, CombinationCard(members=members, weights=weights, class_names=said[best].class_names))


class _Learned(NamedTuple):
    """One training picture: its features (by column) or its pixels, and its class."""

    case: str
    label: str
    values: Any
    columns: tuple[str, ...] | None


class _Inner(NamedTuple):
    """What a model says of training pictures that it had not seen: cross-entropy in nats, and the classes it knows."""

    loss: float
    class_names: tuple[str, ...]


def _learned(
    bucket: Mapping[str, str], store: ArtifactStore, settings: PipelineSettings, cases: Collection[str]
) -> Iterator[_Learned]:
    import pandas as pd

    from tasks.imaging.picture_files import read_pictures

    classes = json.loads((store.open("annotate", bucket["annotate"]) / "classes.json").read_text())
    if not settings.families:
        for picture in read_pictures(store.open("normalize", bucket["normalize"]), cases=cases):
            yield _Learned(picture.case, classes[picture.case], picture.pixels, None)
        return
    table = pd.read_parquet(store.open("extract", bucket["extract"]) / "features.parquet").set_index("case")
    columns = tuple(name for name in table.columns if name.split(".")[0] in settings.families)
    values = table[list(columns)].to_numpy(dtype=float)
    for case, row in zip(table.index, values, strict=True):
        if case in cases:
            yield _Learned(case, classes[case], row, columns)


def _inner(folder: Path) -> _Inner:
    from storage.deep import CARD as NETWORK_CARD
    from storage.deep import load_card

    if (folder / NETWORK_CARD).is_file():
        network = load_card(folder)
        loss = network.history[-1]["held_out_loss"] if network.history else None
        return _Inner(float("inf") if loss is None else float(loss), network.class_names)  # type: ignore[arg-type]
    card = load_picture_card(folder)
    return _Inner(getattr(card, "inner_loss", float("inf")), card.class_names)
