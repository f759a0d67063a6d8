"""Models of pictures in the store, alone and together."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

from storage.artifacts import ArtifactStore
from storage.classical import save_model
from storage.errors import StoreError
from storage.picture_cards import CARD, MODEL, CombinationCard, PipelineCard, load_picture_card, save_card
from tasks.load_model import load_picture_model
from tasks.picture_model import Combination, tempered

NAMES = ("no", "yes")
ROWS = pd.DataFrame({"f.a": [0.0, 1.0, 2.0, 3.0], "f.b": [3.0, 2.0, 1.0, 0.0]})
PICTURES = np.zeros((4, 8, 8, 3), np.uint8)


def put(store: ArtifactStore, key: str, column: str, temperature: float = 1.0) -> str:
    """A model of one feature."""
    pipeline = Pipeline([("classify", LogisticRegression())]).fit(ROWS[[column]].to_numpy(), [0, 0, 1, 1])
    marks = {"inputs": {}, "settings": {}, "source": "s", "versions": {}}
    with store.write(stage="train", key=key, subject="refit", **marks) as folder:
        save_model(folder / MODEL, pipeline)
        card = PipelineCard(
            model="logistic",
            options={},
            columns=(column,),
            class_names=NAMES,
            temperature=temperature,
            pictures=4,
            inner_loss=0.5,
            inner_accuracy=0.5,
        )
        save_card(folder, card)
    return key


def combine(store: ArtifactStore, key: str, weights: dict[str, float]) -> str:
    marks = {"inputs": {}, "settings": {}, "source": "s", "versions": {}}
    with store.write(stage="train", key=key, subject="refit", **marks) as folder:
        save_card(folder, CombinationCard(members={"a": "a" * 64, "b": "b" * 64}, weights=weights, class_names=NAMES))
    return key


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    store = ArtifactStore(tmp_path)
    put(store, "a" * 64, "f.a")
    put(store, "b" * 64, "f.b")
    return store


def test_a_pipeline_says_what_it_said_before_it_was_saved(store: ArtifactStore) -> None:
    model = load_picture_model(store, "a" * 64)
    expected = LogisticRegression().fit(ROWS[["f.a"]].to_numpy(), [0, 0, 1, 1]).predict_proba(ROWS[["f.a"]].to_numpy())
    np.testing.assert_allclose(model.predict(PICTURES, ROWS), expected, rtol=1e-12)
    assert model.class_names == NAMES
    assert list(model.networks()) == []


def test_a_temperature_of_two_halves_the_logit(store: ArtifactStore) -> None:
    hot = load_picture_model(store, put(store, "c" * 64, "f.a", temperature=2.0)).predict(PICTURES, ROWS)
    plain = load_picture_model(store, "a" * 64).predict(PICTURES, ROWS)
    np.testing.assert_allclose(np.log(hot[:, 1] / hot[:, 0]), np.log(plain[:, 1] / plain[:, 0]) / 2, rtol=1e-9)


def test_models_together_are_the_weighted_mean_of_each(store: ArtifactStore) -> None:
    model = load_picture_model(store, combine(store, "d" * 64, {"a": 0.75, "b": 0.25}))
    assert isinstance(model, Combination)
    each = model.each(PICTURES, ROWS)
    np.testing.assert_allclose(model.predict(PICTURES, ROWS), 0.75 * each["a"] + 0.25 * each["b"], rtol=1e-12)
    np.testing.assert_allclose(each["a"], load_picture_model(store, "a" * 64).predict(PICTURES, ROWS))
    np.testing.assert_allclose(model.predict(PICTURES, ROWS).sum(axis=1), 1)


def test_a_model_of_features_says_that_it_lacks_them(store: ArtifactStore) -> None:
    with pytest.raises(ValueError, match="needs 1 features that are not there"):
        load_picture_model(store, "a" * 64).predict(PICTURES, ROWS[["f.b"]])


@pytest.mark.parametrize("text", ['{"kind": "other"}', "no json", '{"kind": "combination"}'])
def test_a_card_of_something_else_is_refused(store: ArtifactStore, text: str) -> None:
    (store.open("train", "a" * 64) / CARD).write_text(text)
    with pytest.raises(StoreError, match=r"card.json is not the card of a model of pictures"):
        load_picture_card(store.open("train", "a" * 64))


def test_a_model_that_was_changed_after_its_commit_is_refused(store: ArtifactStore) -> None:
    (store.open("train", "a" * 64) / MODEL).write_bytes((store.open("train", "b" * 64) / MODEL).read_bytes())
    with pytest.raises(StoreError, match=f"the model {'a' * 12} is not what was committed: model.skops has changed"):
        load_picture_model(store, "a" * 64)
    with pytest.raises(StoreError, match="is not what was committed"):
        load_picture_model(store, combine(store, "d" * 64, {"a": 0.5, "b": 0.5}))


def test_weights_that_are_not_one_together_are_refused() -> None:
    with pytest.raises(ValueError, match="1 together"):
        CombinationCard(members={"a": "a"}, weights={"a": 0.5}, class_names=NAMES)


def test_certainty_stays_finite_and_keeps_its_order() -> None:
    found = tempered(np.array([[1.0, 0.0], [0.3, 0.7]]), 3.0)
    assert np.isfinite(found).all()
    assert (found.argmax(axis=1) == [0, 1]).all()
    np.testing.assert_allclose(found.sum(axis=1), 1)
