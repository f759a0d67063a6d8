"""The stage ``train`` for pictures, classical models: one fold's, or the refit; and several models put together."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import compress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from storage.artifacts import ArtifactStore
from storage.case import Batch
from storage.errors import CaseError
from storage.picture_cards import MODEL, CombinationCard, PipelineCard, load_picture_card, save_card
from tasks.classical.selectors import SELECTION
from tasks.discover import MODELS
from tasks.leakage import check_apart
from tasks.task import Stage, Work, stage_task
from tasks.train.pipeline_settings import CombinationSettings, PipelineSettings

if TYPE_CHECKING:
    from tasks.train.synthetic import Synthetic

STAGE = Stage(
    "train",
    libraries=("numpy", "pandas", "pgmpy", "scikit-image", "scikit-learn", "scipy", "skops", "torch", "zarr"),
    places=("tasks.train.pipeline_task",),
)


def plan_pipeline(
    batches: Sequence[Batch],
    settings: PipelineSettings,
    *,
    folds: str,
    fold: int | None,
    synthetic: Mapping[str, str] | None = None,
) -> Work:
    """Training on the pictures outside a fold, all that this model will ever see; ``None``: on every picture.

    ``synthetic``: keys of the synthetic pictures of the same fold and of their features, by stage; ``None``: it learns
    from real ones alone.
    """
    stages = ("annotate", "extract") if settings.families else ("annotate", "normalize")
    made = ("synthesize", "describe_synthetic") if settings.families else ("synthesize",)
    inputs = {
        "buckets": [{stage: batch.keys[stage] for stage in stages} for batch in batches],
        "cases": {case.id: case.digest for batch in batches for case in batch.members},
        "split": folds,
        "fold": fold,
        "synthetic": synthetic and {stage: synthetic[stage] for stage in made},
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
    split = store.read_json("split", work.inputs["split"], "folds.json")
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
        synthetic=_synthetic(work, store, found, split["classes"]),
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
            synthetic=fitted.synthetic,
            inner_loss=fitted.inner_loss,
            inner_accuracy=fitted.inner_accuracy,
        ),
    )


@stage_task("train")
def combine_models(work: Work, store: ArtifactStore, folder: Path) -> None:
    """Weigh the members that answer together: all alike, or the one that was best on pictures it had not seen."""
    settings = CombinationSettings.model_validate(work.settings)
    members: dict[str, str] = work.inputs["members"]
    said = {name: _inner(store.open("train", members[name])) for name in settings.together}
    chosen = settings.together if settings.combine == "mean" else (_best(said),)
    weights = {name: (name in chosen) / len(chosen) for name in members}
    class_names = said[settings.together[0]].class_names
    save_card(folder, CombinationCard(members=members, weights=weights, class_names=class_names))


class _Learned(NamedTuple):
    """One training picture: its features (by column) or its pixels, and its class."""

    case: str
    label: str
    values: Any
    columns: tuple[str, ...] | None


class _Inner(NamedTuple):
    """What a model says of training pictures that it had not seen, and the classes it knows.

    ``loss``: cross-entropy in nats of its calibrated probabilities; ``None`` where there were no such pictures.
    """

    loss: float | None
    class_names: tuple[str, ...]


def _learned(
    bucket: Mapping[str, str], store: ArtifactStore, settings: PipelineSettings, cases: Collection[str]
) -> Iterator[_Learned]:
    import pandas as pd

    from tasks.imaging.picture_files import read_pictures

    classes = store.read_json("annotate", bucket["annotate"], "classes.json")
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


def _synthetic(work: Work, store: ArtifactStore, found: Sequence[_Learned], classes: Sequence[str]) -> Synthetic | None:
    """Synthetic pictures, or the same features of them, for a training on these real ones."""
    import pandas as pd

    from tasks.train.synthesis.stored import read_synthetic

    keys, columns = work.inputs["synthetic"], found[0].columns
    if keys is None:
        return None
    made = read_synthetic(
        store.open("synthesize", keys["synthesize"]),
        split=work.inputs["split"],
        fold=work.inputs["fold"],
        cases=[one.case for one in found],
        classes=classes,
    )
    if columns is None:
        return made
    table = pd.read_parquet(store.open("describe_synthetic", keys["describe_synthetic"]) / "features.parquet")
    return replace(made, inputs=table[list(columns)].to_numpy(dtype=float))


def _inner(folder: Path) -> _Inner:
    from storage.deep import CARD as NETWORK_CARD
    from storage.deep import load_card

    if (folder / NETWORK_CARD).is_file():
        network = load_card(folder)
        return _Inner(network.inner_loss, network.class_names)
    card = load_picture_card(folder)
    return _Inner(getattr(card, "inner_loss", None), card.class_names)


def _best(said: Mapping[str, _Inner]) -> str:
    """The one of least loss; the first of several."""
    losses = {name: one.loss for name, one in said.items() if one.loss is not None}
    if silent := sorted(set(said) - set(losses)):
        raise CaseError(f"combine = 'best': no training picture could be kept out for {', '.join(silent)}")
    return min(losses, key=losses.__getitem__)
