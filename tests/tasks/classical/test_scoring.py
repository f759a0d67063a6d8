"""Scores and their calibration, against values that can be worked out."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

from tasks.classical.scoring import CLOSEST, Calibration, fit_calibration, probability

X = pd.DataFrame({"x": [-2.0, -1.0, 1.0, 2.0]})


def test_the_score_is_that_of_the_class_lesion() -> None:
    pipeline = Pipeline([("classify", LogisticRegression())]).fit(X.to_numpy(), [False, False, True, True])
    scores = probability(pipeline, X)
    assert scores == pytest.approx(pipeline.predict_proba(X.to_numpy())[:, 1])
    assert (np.diff(scores) > 0).all()


@pytest.mark.parametrize("everything", [True, False])
def test_a_model_of_one_class_is_sure_of_it(everything: bool) -> None:
    pipeline = Pipeline([("classify", DummyClassifier())]).fit(X.to_numpy(), [everything] * 4)
    assert probability(pipeline, X).tolist() == [float(everything)] * 4


def test_no_candidates_have_no_scores() -> None:
    pipeline = Pipeline([("classify", LogisticRegression())]).fit(X.to_numpy(), [False, False, True, True])
    assert probability(pipeline, X.iloc[:0]).shape == (0,)


def test_slope_1_and_intercept_0_leave_scores_as_they_are() -> None:
    scores = np.array([CLOSEST, 0.2, 0.5, 0.9])
    assert Calibration()(scores) == pytest.approx(scores)
    assert Calibration()(np.array([0.0, 1.0])) == pytest.approx([CLOSEST, 1 - CLOSEST])


def test_the_formula_by_hand() -> None:
    assert Calibration(slope=2.0, intercept=0.0)(np.array([0.8])) == pytest.approx([16 / 17])  # odds 4, squared
    assert Calibration(slope=1.0, intercept=float(np.log(3)))(np.array([0.5])) == pytest.approx([0.75])


def test_scores_that_say_nothing_become_the_smoothed_share_of_lesions() -> None:
    positive = np.arange(20) < 4  # Platt's targets: 5/6 for the four, 1/18 for the sixteen
    calibration = fit_calibration(np.full(20, 0.5), positive)
    assert calibration(np.array([0.5])) == pytest.approx([(4 * 5 / 6 + 16 / 18) / 20], abs=1e-4)


@pytest.mark.parametrize(("slope", "intercept"), [(1.0, 0.0), (0.5, -2.0), (2.0, 1.0)])
def test_a_known_distortion_is_found_again(slope: float, intercept: float) -> None:
    rng = np.random.default_rng(0)
    scores = rng.uniform(0.02, 0.98, 40_000)
    positive = rng.uniform(size=scores.size) < Calibration(slope, intercept)(scores)
    found = fit_calibration(scores, positive)
    assert (found.slope, found.intercept) == pytest.approx((slope, intercept), abs=0.06)


def test_the_order_stays_even_where_the_scores_were_wrong() -> None:
    scores = np.linspace(0.05, 0.95, 30)
    calibrated = fit_calibration(scores, scores < 0.3)(scores)
    assert (np.diff(calibrated) > 0).all()
