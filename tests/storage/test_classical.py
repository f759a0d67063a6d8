"""Models on disk: the same predictions after reading, and nothing read that nobody named."""

from __future__ import annotations

import operator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io
from sklearn.dummy import DummyClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from storage.classical import load_model, save_model
from storage.errors import StoreError
from tasks.classical.pipelines import build_pipeline
from tasks.discover import part_names
from tasks.selection import univariate

RNG = np.random.default_rng(0)
FEATURES = RNG.normal(size=(60, 50))
FEATURES[::7, 3] = np.nan
LABELS = np.nan_to_num(FEATURES[:, 3]) + FEATURES[:, 4] > 0


def fitted(name: str) -> Any:
    return build_pipeline(name, {}, [univariate.Settings(features=20)], columns=50, seed=0).fit(FEATURES, LABELS)


@pytest.mark.parametrize("name", part_names("tasks.models", with_function="build"))
def test_every_model_predicts_the_same_after_reading(tmp_path: Path, name: str) -> None:
    model = fitted(name)
    save_model(tmp_path / "model.skops", model)
    before, after = model.predict_proba(FEATURES), load_model(tmp_path / "model.skops").predict_proba(FEATURES)
    assert before.tobytes() == after.tobytes()
    assert np.ptp(before[:, 1]) > 0.3  # it says something


def test_the_model_that_stands_in_for_a_single_class_is_read_too(tmp_path: Path) -> None:
    model = Pipeline([("classify", DummyClassifier())]).fit(FEATURES, np.zeros(60, dtype=bool))
    save_model(tmp_path / "model.skops", model)
    assert load_model(tmp_path / "model.skops").predict_proba(FEATURES).tolist() == [[1.0]] * 60


@pytest.mark.parametrize(
    ("step", "said"),
    [
        (FunctionTransformer(operator.methodcaller("copy")), "operator.methodcaller"),
        (FunctionTransformer(np.loadtxt), r"numpy\..*loadtxt"),
        (FunctionTransformer(np.sin, kw_args={"path": Path("x")}), "PosixPath"),
    ],
)
def test_a_type_that_nobody_named_is_refused(tmp_path: Path, step: FunctionTransformer, said: str) -> None:
    skops.io.dump(Pipeline([("danger", step), ("classify", DummyClassifier())]), tmp_path / "model.skops")
    with pytest.raises(StoreError, match=f"model.skops holds types that are not trusted: .*{said}"):
        load_model(tmp_path / "model.skops")
