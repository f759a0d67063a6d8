"""Paired differences: figures by hand, scikit-learn as a reference, groups as the unit."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from tasks.metrics.paired import (
    paired_group_difference,
    weighted_accuracy,
    weighted_auc,
    weighted_sensitivity,
    weighted_specificity,
)

RNG = np.random.default_rng(0)
TRUTH = np.arange(60) % 3 == 0
SCORES = np.round(RNG.normal(size=60) + TRUTH, 1)  # with ties


def test_the_weighted_auc_is_that_of_scikit_learn() -> None:
    weights = RNG.integers(0, 4, size=(5, 60)).astype(float)
    for row, found in zip(weights, weighted_auc(SCORES, TRUTH, weights), strict=True):
        assert found == pytest.approx(roc_auc_score(TRUTH, SCORES, sample_weight=row))


def test_the_weighted_accuracy_is_that_of_scikit_learn() -> None:
    said = (SCORES > 0.5).astype(float)
    weights = RNG.integers(1, 4, size=(3, 60)).astype(float)
    for row, found in zip(weights, weighted_accuracy(said, TRUTH, weights), strict=True):
        assert found == pytest.approx(balanced_accuracy_score(TRUTH, said == 1, sample_weight=row))


def test_sensitivity_and_specificity_by_hand() -> None:
    truth, said = np.array([True, True, True, False]), np.array([1.0, 0.0, 1.0, 1.0])
    once = np.ones((1, 4))
    assert weighted_sensitivity(said, truth, once)[0] == pytest.approx(2 / 3)
    assert weighted_specificity(said, truth, once)[0] == 0


def test_a_classifier_beside_itself_differs_by_nothing() -> None:
    found = paired_group_difference(weighted_auc, SCORES, SCORES, TRUTH, np.arange(60))
    assert found.value == 0
    assert found.p == 1
    assert found.n == 60


def test_a_better_classifier_is_found_better() -> None:
    found = paired_group_difference(weighted_auc, SCORES + 2.0 * TRUTH, SCORES, TRUTH, np.arange(60))
    assert found.interval.low > 0
    assert found.p < 0.01


def test_ten_images_of_each_patient_are_no_more_than_one() -> None:
    once = paired_group_difference(weighted_auc, SCORES, -SCORES, TRUTH, np.arange(60))
    again, truth = np.repeat(SCORES, 10), np.repeat(TRUTH, 10)
    tenfold = paired_group_difference(weighted_auc, again, -again, truth, np.repeat(np.arange(60), 10))
    assert tenfold.n == 60
    assert tenfold.value == pytest.approx(once.value)
    width, narrow = (one.interval.high - one.interval.low for one in (once, tenfold))
    assert narrow == pytest.approx(width, rel=0.1)


def test_names_and_order_decide_nothing() -> None:
    groups = np.arange(60) // 2
    order = RNG.permutation(60)
    names = np.array([f"P-{97 - group}" for group in groups])
    one = paired_group_difference(weighted_auc, SCORES, SCORES**2, TRUTH, groups, draws=200)
    other = paired_group_difference(
        weighted_auc, SCORES[order], SCORES[order] ** 2, TRUTH[order], names[order], draws=200
    )
    assert one.value == pytest.approx(other.value)
    assert one.interval.low == pytest.approx(other.interval.low)
    assert one.p == other.p


def test_one_class_has_no_difference() -> None:
    with pytest.raises(ValueError, match="not defined"):
        paired_group_difference(weighted_auc, SCORES, SCORES, np.ones(60, bool), np.arange(60))
    with pytest.raises(ValueError, match="four lists of one length"):
        paired_group_difference(weighted_auc, SCORES, SCORES[:5], TRUTH, np.arange(60))
