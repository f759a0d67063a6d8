"""A model that is not imputed for: the same columns as for any other, with the values as they were measured."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from storage.classical import load_model, save_model
from tasks.classical.pipelines import build_pipeline, build_preparation
from tasks.classical.steps import kept_columns, steps_of
from tasks.selection import univariate

LABELS = np.arange(60) % 3 == 0
SELECTION = [univariate.Settings(features=2)]


def table() -> np.ndarray:
    """Column 1 never varies, 4 is never defined; 0 and 3 tell of the class, and 3 has gaps."""
    features = np.random.default_rng(0).normal(size=(60, 5))
    features[:, 0] += 3.0 * LABELS
    features[:, 3] -= 2.0 * LABELS
    features[:, 1], features[:, 4], features[::4, 3] = 7.0, np.nan, np.nan
    return features


def test_columns_are_chosen_as_for_any_model_and_values_left_alone() -> None:
    features = table()
    imputed, measured = (
        build_preparation(SELECTION, scaled=True, imputed=one, seed=0).fit(features, LABELS) for one in (True, False)
    )
    assert kept_columns(measured, 5).tolist() == kept_columns(imputed, 5).tolist() == [True, False, False, True, False]
    assert measured.transform(features).tobytes() == np.ascontiguousarray(features[:, [0, 3]]).tobytes()
    assert list(steps_of(measured)) == ["impute", "vary", "scale", "select_1"]
    assert measured.transform(np.full((1, 5), np.nan)).tolist() == [[pytest.approx(np.nan, nan_ok=True)] * 2]


def test_a_bayesian_network_sees_the_gaps_in_its_pipeline_and_a_saved_one_too(tmp_path: Path) -> None:
    pipeline = build_pipeline("bayesian_network", {}, SELECTION, columns=5, seed=0).fit(table(), LABELS)
    model = pipeline.named_steps["classify"]
    row = table()[:1]
    assert np.isnan(row[0, 3])
    assert pipeline.predict_proba(row)[0] == pytest.approx(model.predict_proba([[row[0, 0], np.nan]])[0])
    filled = np.where(np.isnan(row), np.nanmedian(table()[:, 3]), row)
    assert not np.allclose(pipeline.predict_proba(row), pipeline.predict_proba(filled))
    save_model(tmp_path / "model.skops", pipeline)
    again = load_model(tmp_path / "model.skops")
    assert again.predict_proba(table()).tobytes() == pipeline.predict_proba(table()).tobytes()
    assert kept_columns(again, 5).tolist() == kept_columns(pipeline, 5).tolist()
