"""Classical models of pictures: what they learn, what their inner folds say, and what they never see."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import log_loss

from tasks.discover import part
from tasks.picture_model import class_probabilities, tempered
from tasks.train.picture_settings import PictureTrainSettings
from tasks.train.pipeline_fit import fit_pipeline
from tasks.train.pipeline_settings import PipelineSettings

LOGISTIC = PipelineSettings(model="logistic", families=("first_order",))
RNG = np.random.default_rng(4)
LABELS = np.repeat([0, 1, 2], 20)
FOLDS = np.tile([0, 1, 3, 4], 15)
FEATURES = RNG.normal(size=(60, 5)) + np.eye(3, 5)[LABELS] * 2.5


def test_classes_that_lie_apart_are_told_apart() -> None:
    fitted = fit_pipeline(FEATURES, LABELS, FOLDS, LOGISTIC, classes=3)
    assert fitted.inner_accuracy > 0.8
    assert (class_probabilities(fitted.pipeline, FEATURES, 3).argmax(axis=1) == LABELS).mean() > 0.85
    assert fitted.kept is not None
    assert fitted.kept.shape == (5,)


def test_inner_figures_are_those_of_pictures_that_a_model_had_not_seen() -> None:
    features, labels = RNG.normal(size=(60, 40)), RNG.permutation(LABELS)  # nothing to learn, much to learn by heart
    fitted = fit_pipeline(features, labels, FOLDS, LOGISTIC, classes=3)
    assert (class_probabilities(fitted.pipeline, features, 3).argmax(axis=1) == labels).mean() > 0.7
    assert fitted.inner_accuracy < 0.6
    assert fitted.temperature > 1


def test_the_temperature_is_the_best_on_the_inner_folds() -> None:
    fitted = fit_pipeline(FEATURES, LABELS, FOLDS, LOGISTIC, classes=3)
    unseen = np.zeros((60, 3))
    for fold in np.unique(FOLDS):
        rest = fold != FOLDS
        other = fit_pipeline(FEATURES[rest], LABELS[rest], FOLDS[rest], LOGISTIC, classes=3)
        unseen[~rest] = class_probabilities(other.pipeline, FEATURES[~rest], 3)
    assert fitted.inner_loss == pytest.approx(log_loss(LABELS, tempered(unseen, fitted.temperature)), abs=1e-5)
    for other_temperature in (fitted.temperature * 3, fitted.temperature / 3):
        assert log_loss(LABELS, tempered(unseen, other_temperature)) > fitted.inner_loss


def test_a_class_that_was_not_learned_gets_no_probability_before_calibration() -> None:
    fitted = fit_pipeline(FEATURES[:40], LABELS[:40], FOLDS[:40], LOGISTIC, classes=3)
    assert not class_probabilities(fitted.pipeline, FEATURES, 3)[:, 2].any()


@pytest.mark.parametrize(("rows", "what"), [(slice(0, 20), "got 1 and 4"), (slice(0, 60, 4), "got 3 and 1")])
def test_one_class_or_one_inner_fold_is_refused(rows: slice, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        fit_pipeline(FEATURES[rows], LABELS[rows], FOLDS[rows], LOGISTIC, classes=3)


def test_a_model_of_pictures_describes_each_once_and_is_whole_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    from tasks.models.estimators import fisher_vectors

    described, plain = [], fisher_vectors.picture_descriptors

    def counted(pictures: np.ndarray, **options: object) -> np.ndarray:
        described.append(len(pictures))
        return plain(pictures, **options)

    monkeypatch.setattr(fisher_vectors, "picture_descriptors", counted)
    options = {"side": 32, "cells_px": [3], "step_px": 6, "components": 4, "gaussians": 2}
    settings = PipelineSettings(model="fisher_vectors", options=options)
    pictures = np.random.default_rng(0).integers(1, 256, (60, 32, 32, 3), dtype=np.uint8)
    fitted = fit_pipeline(pictures, LABELS, FOLDS, settings, classes=3)
    assert described == [60]
    alone = part("tasks.models", "fisher_vectors")
    model = alone.build_on_pictures(alone.Settings.model_validate(options), seed=0).fit(pictures, LABELS)
    assert np.allclose(fitted.pipeline.predict_proba(pictures[:5]), model.predict_proba(pictures[:5]))


# Settings


def test_a_study_lists_networks_and_classical_models() -> None:
    train = PictureTrainSettings(
        models=("alexnet", "logistic"),
        options={"alexnet": {"hidden": 8}, "logistic": {"inverse_penalty": 2.0}},
        learning={"alexnet": {"epochs": 3}},
        seed=5,
    )
    assert (train.network("alexnet").epochs, train.network("alexnet").seed) == (3, 5)
    assert train.network("alexnet").options == {"hidden": 8}
    assert train.pipeline("logistic").options["inverse_penalty"] == 2.0
    assert train.pipeline("logistic").families == ("first_order", "hog")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"models": ("forest",)}, "no model 'forest' for pictures; choose from: .*logistic"),
        ({"models": ("logistic", "logistic")}, "each model once"),
        ({"models": ("logistic",), "learning": {"logistic": {}}}, "learning of logistic"),
        ({"models": ("logistic",), "options": {"svm": {}}}, "options of svm"),
        ({"models": ("logistic",), "options": {"logistic": {"trees": 3}}}, "trees"),
        ({"models": ("logistic",), "together": ("svm",)}, "together with svm, which is none of: logistic"),
        (
            {"models": ("alexnet", "logistic"), "combine": "best", "learning": {"alexnet": {"held_out": 0}}},
            "combine = 'best' needs held_out > 0 for alexnet",
        ),
        ({"families": ("hog", "size_and_border")}, "no model may learn it"),
    ],
)
def test_what_cannot_be_trained_is_refused_before_any_work(change: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        PictureTrainSettings.model_validate(change)
