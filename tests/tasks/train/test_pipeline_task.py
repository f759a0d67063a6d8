"""Classical models of pictures in the store: what a fold's model depends on, and how several answer together."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from storage.artifacts import ArtifactStore
from storage.case import Batch, Case
from storage.keys import digest
from storage.picture_cards import CombinationCard, PipelineCard, load_picture_card
from tasks.leakage import LeakageError
from tasks.load_model import load_picture_model, needs_features
from tasks.task import hand_over
from tasks.train.picture_settings import PictureTrainSettings
from tasks.train.pipeline_task import combine_models, plan_combination, plan_pipeline, train_pipeline

CASES = [Case(id=f"C-{n:02}", patient=f"P-{n:02}", digest=digest(n)) for n in range(24)]
CLASSES = {case.id: ("dark", "light")[n % 2] for n, case in enumerate(CASES)}
FOLDS = {case.id: (n // 2) % 3 for n, case in enumerate(CASES)}
TRAIN = PictureTrainSettings(models=("logistic", "k_neighbours"), families=("first_order",))
PICTURES = np.zeros((24, 4, 4, 3), np.uint8)


def put(store: ArtifactStore, stage: str, name: str, files: dict[str, Any]) -> str:
    marks: dict[str, Any] = {"inputs": {}, "settings": {}, "source": "s", "versions": {}}
    with store.write(stage=stage, key=digest([stage, name]), subject="x", **marks) as folder:
        for file, content in files.items():
            if isinstance(content, pd.DataFrame):
                content.to_parquet(folder / file, index=False)
            else:
                (folder / file).write_text(json.dumps(content))
    return digest([stage, name])


def bucket(store: ArtifactStore, *, noise: int | None = None) -> Batch:
    """Pictures told apart by their mean; those of fold ``noise`` are something else altogether."""
    table = features()
    if noise is not None:
        rows = [FOLDS[case] == noise for case in table["case"]]
        table.loc[rows, ["first_order.mean", "first_order.variance"]] = np.random.default_rng(8).normal(
            50, 9, (sum(rows), 2)
        )
    keys = {
        "annotate": put(store, "annotate", "classes", {"classes.json": CLASSES}),
        "extract": put(store, "extract", f"features {noise}", {"features.parquet": table}),
    }
    return Batch(id="bucket 00", members=tuple(CASES), keys=keys)


def features() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    mean = np.array([3.0 * (CLASSES[case.id] == "light") for case in CASES]) + rng.normal(size=24)
    return pd.DataFrame(
        {
            "case": [case.id for case in CASES],
            "first_order.mean": mean,
            "first_order.variance": rng.normal(size=24),
            "size_and_border.width": [100.0 * (CLASSES[case.id] == "light") for case in CASES],
        }
    )


def split(store: ArtifactStore, groups: dict[str, int] | None = None) -> str:
    groups = groups or {case.id: n for n, case in enumerate(CASES)}
    content = {"count": 3, "classes": ["dark", "light"], "folds": FOLDS, "groups": groups}
    return put(store, "split", json.dumps(groups), {"folds.json": content})


def trained(store: ArtifactStore, batch: Batch, fold: int | None, model: str = "logistic") -> str:
    work = plan_pipeline([batch], TRAIN.pipeline(model), folds=split(store), fold=fold)
    assert train_pipeline.fn(*hand_over(work, store)).name == "Completed"
    return work.key


def said(store: ArtifactStore, key: str) -> np.ndarray:
    return load_picture_model(store, key).predict(PICTURES, features())


def test_noise_in_the_held_out_fold_leaves_its_model_and_card(tmp_path: Path) -> None:
    clean, noisy = ArtifactStore(tmp_path / "clean"), ArtifactStore(tmp_path / "noisy")
    one, other = trained(clean, bucket(clean), 1), trained(noisy, bucket(noisy, noise=1), 1)
    assert said(clean, one).tobytes() == said(noisy, other).tobytes()
    assert load_picture_card(clean.open("train", one)) == load_picture_card(noisy.open("train", other))
    seen = trained(noisy, bucket(noisy, noise=1), 0)  # this one learned from the noise
    assert said(clean, trained(clean, bucket(clean), 0)).tobytes() != said(noisy, seen).tobytes()


def test_how_a_picture_was_saved_is_no_feature(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path)
    card = load_picture_card(store.open("train", trained(store, bucket(store), None)))
    assert isinstance(card, PipelineCard)
    assert card.columns == ("first_order.mean", "first_order.variance")
    assert card.pictures == 24


def test_a_group_in_two_folds_stops_the_training_and_is_named(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path)
    torn = split(store, {case.id: 0 if n in (0, 2) else n for n, case in enumerate(CASES)})
    work = plan_pipeline([bucket(store)], TRAIN.pipeline("logistic"), folds=torn, fold=1)
    with pytest.raises(LeakageError, match="share a group: C-00 and C-02"):
        train_pipeline.fn(*hand_over(work, store))


@pytest.mark.parametrize(
    ("change", "weights"),
    [
        ({}, {"logistic": 0.5, "k_neighbours": 0.5}),
        ({"together": ("logistic",)}, {"logistic": 1.0, "k_neighbours": 0.0}),
    ],
)
def test_those_that_answer_together_are_weighed_alike(
    tmp_path: Path, change: dict[str, Any], weights: dict[str, float]
) -> None:
    store = ArtifactStore(tmp_path)
    members = {name: trained(store, bucket(store), 0, name) for name in TRAIN.models}
    settings = TRAIN.model_copy(update=change).combination()
    work = plan_combination(members, settings, subject="fold 1")
    assert combine_models.fn(*hand_over(work, store)).name == "Completed"
    card = load_picture_card(store.open("train", work.key))
    assert card == CombinationCard(members=members, weights=weights, class_names=("dark", "light"))
    together = sum(weights[name] * said(store, members[name]) for name in members)
    np.testing.assert_allclose(said(store, work.key), together, rtol=1e-12)


def test_the_best_is_the_one_of_least_loss_on_training_pictures_it_had_not_seen(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path)
    members = {name: trained(store, bucket(store), 0, name) for name in TRAIN.models}
    losses = {name: load_picture_card(store.open("train", key)).inner_loss for name, key in members.items()}
    work = plan_combination(members, TRAIN.model_copy(update={"combine": "best"}).combination(), subject="fold 1")
    combine_models.fn(*hand_over(work, store))
    best = min(losses, key=losses.__getitem__)
    assert load_picture_card(store.open("train", work.key)).weights == {name: float(name == best) for name in members}
    assert len(set(losses.values())) == 2


def network(store: ArtifactStore, name: str, loss: float | None) -> str:
    """A network's card alone: nobody asks it for more."""
    card = {"model": "alexnet", "options": {}, "classes": 2, "class_names": ["dark", "light"], "input_px": 64}
    card |= {"mean": [0, 0, 0], "std": [1, 1, 1], "temperature": 1, "average_flips": False, "note": "", "history": []}
    card |= {"pictures": 9, "held_out": 3, "inner_loss": loss}
    return put(store, "train", name, {"network.json": {"format": 1, "card": card, "tensors": {}}})


def test_networks_and_pipelines_are_compared_by_calibrated_losses_and_only_where_all_have_one(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path)
    logistic = trained(store, bucket(store), 0)
    settings = PictureTrainSettings(models=("alexnet", "logistic"), combine="best").combination()

    def combined(loss: float | None) -> Any:
        members = {"alexnet": network(store, f"loss {loss}", loss), "logistic": logistic}
        work = plan_combination(members, settings, subject="fold 1")
        ended: Any = combine_models.fn(*hand_over(work, store))
        return ended.result().verdict or load_picture_card(store.open("train", work.key)).weights

    assert combined(0.001) == {"alexnet": 1.0, "logistic": 0.0}
    assert combined(9.0) == {"alexnet": 0.0, "logistic": 1.0}
    assert combined(None) == "combine = 'best': no training picture could be kept out for alexnet"


def test_a_network_asks_for_no_features_a_pipeline_on_them_does_and_so_do_both_together(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path)
    logistic, alexnet = trained(store, bucket(store), None), network(store, "alone", 0.5)
    members = {"alexnet": alexnet, "logistic": logistic}
    card = CombinationCard(members=members, weights=dict.fromkeys(members, 0.5), class_names=("dark", "light"))
    both = put(store, "train", "both", {"card.json": card.model_dump(mode="json")})
    assert [needs_features(store, key) for key in (alexnet, logistic, both)] == [False, True, True]
