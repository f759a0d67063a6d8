"""What every classical model owes the rest of the house; a new file in ``tasks/models`` is picked up here."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import optuna
import pytest
from pydantic import ValidationError
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import Pipeline

from tasks.classical.pipelines import build_classifier, build_pipeline
from tasks.discover import part, part_names
from tasks.selection import univariate
from tasks.settings import StageSettings

NAMES = part_names("tasks.models", with_function="build")
RNG = np.random.default_rng(0)
LABELS = np.arange(80) % 4 == 0
FEATURES = RNG.normal(size=(80, 50))
FEATURES[:, 7] += 3.0 * LABELS
FEATURES[:, 8] = 1.0
THREE = np.arange(80) % 3
SELECTION = (univariate.Settings(features=20),)


def build(name: str, *, columns: int = 50, seed: int = 0, **options: Any) -> Pipeline:
    return build_pipeline(name, options, SELECTION, columns=columns, seed=seed)


def predict(model: Pipeline, features: Any = FEATURES) -> Any:
    return model.predict_proba(features)[:, 1]


def test_the_models_that_studies_name_are_there() -> None:
    assert set(NAMES) >= {"logistic", "random_forest", "svm", "gradient_boosting", "k_neighbours"}


@pytest.mark.parametrize("name", NAMES)
class TestEveryModel:
    """One fact a test, for each file of the folder."""

    def test_has_settings_with_defaults_that_refuse_unknown_keys(self, name: str) -> None:
        settings = part("tasks.models", name).Settings
        assert issubclass(settings, StageSettings)
        settings()
        with pytest.raises(ValidationError, match="Extra inputs"):
            settings(no_such_option=1)

    def test_says_what_it_wants(self, name: str) -> None:
        module = part("tasks.models", name)
        assert list(inspect.signature(module.build).parameters) == ["settings", "columns", "seed"]
        assert isinstance(module.SCALED, bool)

    def test_is_built_unfitted(self, name: str) -> None:
        with pytest.raises(NotFittedError):
            predict(build(name))

    def test_learns_the_feature_that_tells(self, name: str) -> None:
        scores = predict(build(name).fit(FEATURES, LABELS))
        assert scores[LABELS].mean() > scores[~LABELS].mean() + 0.3
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

    def test_takes_a_handful_of_rows_and_two_columns(self, name: str) -> None:
        rows = slice(0, 9)
        model = build(name, columns=2).fit(FEATURES[rows, 6:8], LABELS[rows])
        assert np.isfinite(predict(model, FEATURES[rows, 6:8])).all()

    def test_tells_three_classes_apart(self, name: str) -> None:
        features = FEATURES[:, :12] + 3.0 * (THREE[:, None] == np.arange(12) % 3)
        model = build(name, columns=12).fit(features, THREE)
        probability = model.predict_proba(features)
        assert model.classes_.tolist() == [0, 1, 2]
        np.testing.assert_allclose(probability.sum(axis=1), 1.0)
        assert (probability.argmax(axis=1) == THREE).mean() > 0.9
        assert (model.predict(features) == THREE).mean() > 0.9

    def test_what_it_suggests_is_what_it_can_be_built_with(self, name: str) -> None:
        if not hasattr(part("tasks.models", name), "suggest"):
            pytest.skip("nothing is searched")
        study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
        found = [part("tasks.models", name).suggest(study.ask()) for _ in range(8)]
        assert len({str(options) for options in found}) > 1
        for options in found:
            build_classifier(name, options, columns=50, seed=0)


def test_another_seed_grows_another_forest() -> None:
    one, other = (predict(build("random_forest", seed=seed).fit(FEATURES, LABELS)) for seed in (0, 1))
    assert not np.array_equal(one, other)


def test_a_forest_has_as_many_trees_as_asked() -> None:
    model = build("random_forest", trees=12).fit(FEATURES, LABELS)
    assert len(model.named_steps["classify"].estimators_) == 12
    assert model.named_steps["classify"].n_features_in_ == 20


def test_a_strong_penalty_leaves_a_plain_model_undecided() -> None:
    weak, strong = (predict(build("logistic", inverse_penalty=c).fit(FEATURES, LABELS)) for c in (1.0, 1e-6))
    assert np.ptp(weak) > 0.5
    assert np.ptp(strong) < 0.01


def test_an_absolute_penalty_leaves_columns_out_and_a_quadratic_one_does_not() -> None:
    ridge, lasso = (
        build("logistic", absolute_part=part_of_it).fit(FEATURES, LABELS).named_steps["classify"].coef_
        for part_of_it in (0.0, 1.0)
    )
    assert (ridge != 0).all()
    assert 0 < (lasso != 0).sum() < 10


def test_the_probability_of_an_svm_is_its_margin_taken_as_log_odds() -> None:
    """Two rows at -1 and 1: the margin of a hard linear machine is the place itself."""
    machine = build_classifier("svm", {"kernel": "linear", "inverse_penalty": 1e3}, columns=1, seed=0)
    machine.fit(np.array([[-1.0], [1.0]]), [False, True])
    found = machine.predict_proba(np.array([[-1.0], [0.0], [1.0], [2.0]]))[:, 1]
    np.testing.assert_allclose(np.log(found / (1 - found)), [-1, 0, 1, 2], atol=1e-3)


def test_a_gaussian_kernel_tells_a_ring_from_its_middle_and_a_linear_one_does_not() -> None:
    angle = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    rows = np.concatenate([3 * np.stack([np.cos(angle), np.sin(angle)], 1), RNG.normal(0, 0.3, (40, 2))])
    ring = np.arange(80) < 40
    right = {
        kernel: (build_classifier("svm", {"kernel": kernel}, columns=2, seed=0).fit(rows, ring).predict(rows) == ring)
        for kernel in ("linear", "rbf")
    }
    assert right["rbf"].all()
    assert right["linear"].mean() < 0.8


def test_neighbours_vote_by_their_distance_and_all_rows_do_where_there_are_few() -> None:
    rows, labels = np.array([[0.0], [1.0], [4.0]]), [False, True, True]
    even, near = (
        build_classifier("k_neighbours", {"weights": weights}, columns=1, seed=0).fit(rows, labels)
        for weights in ("uniform", "distance")
    )
    np.testing.assert_allclose(even.predict_proba([[2.0]])[0, 1], 2 / 3)
    # Distances 2, 1, 2: weights 1/2, 1, 1/2.
    np.testing.assert_allclose(near.predict_proba([[2.0]])[0, 1], 1.5 / 2)


def test_boosting_learns_more_with_more_rounds() -> None:
    few, many = (predict(build("gradient_boosting", rounds=rounds).fit(FEATURES, LABELS))[LABELS] for rounds in (5, 50))
    assert few.mean() < many.mean()
