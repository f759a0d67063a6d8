"""The stage ``train`` for pictures: the network of one fold, or the refit on every picture. It belongs on a GPU."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from storage.artifacts import ArtifactStore
from storage.case import Batch
from storage.mlflow_curve import Experiment
from tasks.discover import MODELS, part
from tasks.leakage import check_apart
from tasks.task import Stage, Work, stage_task
from tasks.train.followed_task import followed
from tasks.train.network_settings import NetworkSettings

STAGE = Stage(
    "train",
    libraries=("numpy", "pandas", "safetensors", "scipy", "torch", "torchvision", "zarr"),
    places=("tasks.train.picture_task",),
)


def plan(
    batches: Sequence[Batch],
    settings: NetworkSettings,
    *,
    folds: str,
    fold: int | None,
    synthetic: Mapping[str, str] | None = None,
    experiment: Experiment | None = None,
) -> Work:
    """Training on the pictures outside a fold, all that this network will ever see; ``None``: on every picture.

    Parameters
    ----------
    folds
        Key of the split.
    synthetic
        Keys of the synthetic pictures of the same fold, by stage; ``None``: it learns from real ones alone.
    experiment
        Of the study on the site's MLflow server; ``None``: it has none.
    """
    inputs = {
        "buckets": [{name: batch.keys[name] for name in ("normalize", "annotate")} for batch in batches],
        "cases": sorted(case.id for batch in batches for case in batch.members),
        "split": folds,
        "fold": fold,
        "synthetic": synthetic and {"synthesize": synthetic["synthesize"]},
        # The cache of weights may be filled between two nights.
        "weights": part(MODELS, settings.model).weights_digest(settings.of_model()),
    }
    subject = f"{settings.model} {'refit' if fold is None else f'fold {fold + 1}'}"
    stage = STAGE.standing_on([f"{MODELS}.{settings.model}"])
    return stage.plan(settings, subject=subject, inputs=inputs, carried=experiment, devices=settings.devices)


@stage_task("train", gpu=True)
def train_network(work: Work, store: ArtifactStore, folder: Path) -> None:
    """Train a network; whoever follows it sees how far it is, and what every epoch gave."""
    import numpy as np

    from storage.deep import NetworkCard, save_network
    from tasks.deep.device import best_device
    from tasks.imaging.picture_files import read_pictures
    from tasks.threads import thread_budget
    from tasks.train.network import fit_network
    from tasks.train.synthesis.stored import read_synthetic

    settings = NetworkSettings.model_validate(work.settings)
    split = store.read_json("split", work.inputs["split"], "folds.json")
    wanted = set(work.inputs["cases"])
    learned = {case for case, fold in split["folds"].items() if fold != work.inputs["fold"] and case in wanted}
    if part(MODELS, settings.model).weights_digest(settings.of_model()) != work.inputs["weights"]:
        raise RuntimeError(
            "this worker finds other ImageNet weights than the run that sent it: give all machines the same"
        )
    check_apart(learned, {case for case in split["folds"] if case in wanted - learned}, split["groups"])
    found = []
    for bucket in work.inputs["buckets"]:
        classes = store.read_json("annotate", bucket["annotate"], "classes.json")
        pictures = read_pictures(store.open("normalize", bucket["normalize"]), cases=learned)
        found += [(picture.digest, picture.case, classes[picture.case], picture.pixels) for picture in pictures]
    found.sort(key=lambda one: one[0])
    about = {"split": work.inputs["split"], "fold": work.inputs["fold"], "classes": split["classes"]}
    synthetic = work.inputs["synthetic"] and read_synthetic(
        store.open("synthesize", work.inputs["synthetic"]["synthesize"]), cases=[case for _, case, *_ in found], **about
    )
    with followed(work, settings, folder, epochs=settings.epochs) as tell:
        fitted = fit_network(
            np.stack([pixels for *_, pixels in found]),
            [split["classes"].index(label) for _, _, label, _ in found],
            [split["groups"][case] for _, case, _, _ in found],
            settings,
            classes=len(split["classes"]),
            seed=settings.seed,
            synthetic=synthetic,
            threads=thread_budget(),
            device=best_device(),
            workshop=store.workshop(work.stage, work.key),
            on_epoch=tell,
        )
    save_network(folder, fitted.state, NetworkCard(**fitted.facts(), class_names=tuple(split["classes"])))
