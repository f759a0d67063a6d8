"""What every model owes the rest of the house; a new file in ``tasks/models`` is picked up here."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import Pipeline

from tasks.discover import part, part_names
from tasks.settings import StageSettings

NAMES = part_names("tasks.models", with_function="build")
RNG = np.random.default_rng(0)
LABELS = np.arange(80) % 4 == 0
FEATURES = RNG.normal(size=(80, 50))
FEATURES[:, 7] += 3.0 * LABELS
FEATURES[:, 8] = 1.0


def build(name: str, *, columns: int = 50, seed: int = 0, **options: Any) -> Pipeline:
    module = part("tasks.models", name)
    return module.build(module.Settings(**options), columns=columns, seed=seed)


def predict(model: Pipeline, features: Any = FEATURES) -> Any:
    return model.predict_proba(features)[:, 1]


def test_the_models_that_studies_name_are_there() -> None:
    assert set(NAMES) >= {"logistic", "random_forest"}


@pytest.mark.parametrize("name", NAMES)
class TestEveryModel:
    """One fact a test, for each file of the folder."""

    def test_has_settings_with_defaults_that_refuse_unknown_keys(self, name: str) -> None:
        settings = part("tasks.models", name).Settings
        assert issubclass(settings, StageSettings)
        settings()
        with pytest.raises(ValidationError, match="Extra inputs"):
            settings(no_such_option=1)

    def test_is_built_unfitted_and_ends_in_a_classifier(self, name: str) -> None:
        model = build(name)
        assert list(model.named_steps)[-1] == "classify"
        with pytest.raises(NotFittedError):
            predict(model)

    def test_learns_the_feature_that_tells(self, name: str) -> None:
        scores = predict(build(name).fit(FEATURES, LABELS))
        assert scores[LABELS].min() > np.median(scores[~LABELS])
        assert ((scores >= 0) & (scores <= 1)).all()

    def test_learns_the_same_from_the_same_seed(self, name: str) -> None:
        one, other = (predict(build(name, seed=3).fit(FEATURES, LABELS)) for _ in range(2))
        assert one.tobytes() == other.tobytes()

    def test_predicts_a_row_alone_as_it_does_among_others(self, name: str) -> None:
        model = build(name).fit(FEATURES, LABELS)
        assert np.allclose([predict(model, row[None])[0] for row in FEATURES[:5]], predict(model)[:5], atol=1e-12)

    def test_works_on_one_thread(self, name: str) -> None:
        parameters = build(name).get_params()
        assert {parameters[key] for key in parameters if key.endswith("n_jobs")} <= {None, 1}

    def test_takes_values_that_are_not_defined_and_columns_that_never_are(self, name: str) -> None:
        features = FEATURES.copy()
        features[::5, 7] = np.nan
        features[:, 9] = np.nan
        assert np.isfinite(predict(build(name).fit(features, LABELS), features)).all()

    def test_takes_fewer_features_than_it_would_select(self, name: str) -> None:
        model = build(name, columns=2).fit(FEATURES[:, 7:9], LABELS)
        assert np.isfinite(predict(model, FEATURES[:, 7:9])).all()

    def test_scales_and_selects_inside_the_pipeline(self, name: str) -> None:
        """So that nothing is fitted before the folds are cut."""
        model = build(name)
        assert {"impute", "scale", "select"} <= set(model.named_steps)
        assert list(inspect.signature(part("tasks.models", name).build).parameters) == ["settings", "columns", "seed"]


def test_another_seed_grows_another_forest() -> None:
    one, other = (predict(build("random_forest", seed=seed).fit(FEATURES, LABELS)) for seed in (0, 1))
    assert not np.array_equal(one, other)


def test_a_forest_has_as_many_trees_and_features_as_asked() -> None:
    model = build("random_forest", trees=12, features=5).fit(FEATURES, LABELS)
    assert len(model.named_steps["classify"].estimators_) == 12
    assert model.named_steps["classify"].n_features_in_ == 5


def test_a_strong_penalty_leaves_a_plain_model_undecided() -> None:
    weak, strong = (predict(build("logistic", inverse_penalty=c).fit(FEATURES, LABELS)) for c in (1.0, 1e-6))
    assert np.ptp(weak) > 0.5
    assert np.ptp(strong) < 0.01
