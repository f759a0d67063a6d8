"""What every selector owes the pipeline; a new file in ``tasks/selection`` is picked up here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError
from sklearn.base import clone

from storage.classical import load_model, save_model
from tasks.classical.pipelines import build_pipeline, build_preparation
from tasks.classical.selector import best
from tasks.classical.selectors import AnySelector, selector_of, selectors
from tasks.classical.steps import kept_columns

NAMES = tuple(selectors())
QUICK: dict[str, dict[str, Any]] = {
    "all_relevant": {"rounds": 8, "trees": 30, "error": 0.2},
    "stability": {"pairs": 5, "features": 4},
    "variance": {"least": 0.01},
    **{name: {"features": 4} for name in ("lasso", "mutual_information", "recursive_elimination", "relief")},
    "univariate": {"features": 4},
}
TELLING = [2, 9, 17]
RNG = np.random.default_rng(4)
LABELS = (np.arange(150) % 3 == 0).astype(np.int64)


def standardized(features: np.ndarray) -> np.ndarray:
    return (features - features.mean(axis=0)) / features.std(axis=0)


def table(labels: np.ndarray = LABELS) -> np.ndarray:
    """Three columns tell the classes apart, one is the copy of another, one hardly varies, the rest is noise."""
    features = np.random.default_rng(4).normal(size=(len(labels), 24))
    features[:, TELLING] += 4.0 * (labels[:, None] == np.arange(3) + 1) if labels.max() > 1 else 3.0 * labels[:, None]
    features[:, 20] = features[:, 5] * -3.0 + 1.0
    features[:, 21] = np.arange(len(labels)) == 1
    return standardized(features)


def selector(name: str) -> Any:
    return selector_of({"name": name} | QUICK.get(name, {}))


def test_those_that_the_issue_names_are_there() -> None:
    assert set(NAMES) >= {
        *("variance", "univariate", "correlation", "vif", "mutual_information"),
        *("relief", "lasso", "recursive_elimination", "all_relevant", "stability"),
    }


@pytest.mark.parametrize("name", NAMES)
class TestEverySelector:
    """One fact a test, for each file of the folder."""

    def test_keeps_what_tells_the_classes_apart(self, name: str) -> None:
        choice = selector(name).select(table(), LABELS, seed=0)
        assert choice.kept.dtype == bool
        assert choice.kept.shape == choice.scores.shape == (24,)
        assert choice.kept[TELLING].all()
        assert not choice.kept.all()

    def test_takes_three_classes(self, name: str) -> None:
        labels = np.arange(150) % 4
        choice = selector(name).select(table(labels), labels, seed=0)
        assert choice.kept[TELLING].all()

    def test_chooses_the_same_from_the_same_seed(self, name: str) -> None:
        one, other = (selector(name).select(table(), LABELS, seed=5) for _ in range(2))
        assert one.kept.tobytes() == other.kept.tobytes()
        assert one.scores.tobytes() == other.scores.tobytes()

    def test_scores_what_it_keeps(self, name: str) -> None:
        choice = selector(name).select(table(), LABELS, seed=0)
        assert np.isfinite(choice.scores[choice.kept]).all()
        assert selector(name).measure

    def test_leaves_the_table_as_it_is(self, name: str) -> None:
        features, labels = table(), LABELS.copy()
        selector(name).select(features, labels, seed=0)
        assert np.array_equal(features, table())
        assert np.array_equal(labels, LABELS)

    def test_keeps_one_column_where_there_is_one_and_where_nothing_tells(self, name: str) -> None:
        assert selector(name).select(table()[:, :1], LABELS, seed=0).kept.tolist() == [True]
        noise = standardized(np.random.default_rng(0).normal(size=(12, 3)))
        assert selector(name).select(noise, np.arange(12) % 2, seed=0).kept.any()

    def test_takes_columns_that_never_vary_and_more_columns_than_rows(self, name: str) -> None:
        features = np.concatenate([table()[:16], np.zeros((16, 3))], axis=1)
        assert selector(name).select(features, LABELS[:16], seed=0).kept.any()

    def test_refuses_what_nobody_can_choose_from(self, name: str) -> None:
        with pytest.raises(ValueError, match="rows of at least 2 classes; got 1"):
            selector(name).select(table(), np.zeros(150, dtype=np.int64), seed=0)
        with pytest.raises(ValueError, match="finite values"):
            selector(name).select(np.where(table() > 2, np.nan, table()), LABELS, seed=0)
        with pytest.raises(ValueError, match=r"at least one row and one column; got \(150, 0\)"):
            selector(name).select(table()[:, :0], LABELS, seed=0)

    def test_is_read_back_from_disk_and_keeps_the_same(self, name: str, tmp_path: Path) -> None:
        model = build_pipeline("logistic", {}, [selector(name)], columns=24, seed=0).fit(table(), LABELS)
        save_model(tmp_path / "model.skops", model)
        again = load_model(tmp_path / "model.skops")
        assert again.predict_proba(table()).tobytes() == model.predict_proba(table()).tobytes()
        assert np.array_equal(kept_columns(again, 24), kept_columns(model, 24))

    def test_is_a_step_that_scikit_learn_can_copy(self, name: str) -> None:
        step = clone(build_preparation([selector(name)], scaled=True, seed=3).named_steps["select_1"])
        assert step.fit_transform(table(), LABELS == 1).shape[1] == step.get_support().sum()
        assert selector_of(step.options) == selector(name)

    def test_a_study_file_names_it(self, name: str) -> None:
        assert TypeAdapter(AnySelector).validate_python({"name": name}) == selector_of({"name": name})
        with pytest.raises(ValidationError, match="Extra inputs"):
            TypeAdapter(AnySelector).validate_python({"name": name, "no_such_option": 1})


def test_selectors_work_one_after_the_other_on_what_the_one_before_has_left() -> None:
    features = table()
    features[:, 3] = 7.0
    features[::4, 6] = np.nan
    model = build_pipeline("logistic", {}, [selector("correlation"), selector("univariate")], columns=24, seed=0)
    model.fit(features, LABELS)
    assert list(model.named_steps) == ["impute", "vary", "scale", "select_1", "select_2", "classify"]
    assert [step.n_features_in_ for step in (model["select_1"], model["select_2"], model["classify"])] == [23, 22, 4]
    assert kept_columns(model, 24).sum() == 4
    assert kept_columns(model, 24)[TELLING].all()


def test_without_selectors_only_models_that_want_it_are_scaled() -> None:
    steps = {
        name: list(build_pipeline(name, {}, (), columns=3, seed=0).named_steps) for name in ("svm", "random_forest")
    }
    assert steps == {
        "svm": ["impute", "vary", "scale", "classify"],
        "random_forest": ["impute", "vary", "classify"],
    }


def test_of_equal_scores_the_later_column_is_kept_and_nan_is_last() -> None:
    """As ``SelectKBest`` has it, so that results of earlier versions stay."""
    assert best(np.array([1.0, 2.0, 1.0, np.nan]), 2).tolist() == [False, True, True, False]
    assert best(np.array([1.0, np.nan]), 5).tolist() == [True, True]
