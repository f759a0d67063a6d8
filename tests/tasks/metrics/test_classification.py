"""Metrics of classes by hand and against scikit-learn; intervals against plain loops; excluded pictures count."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, balanced_accuracy_score, roc_auc_score

from tasks.metrics.classification import (
    EXCLUDED,
    Predictions,
    accuracy,
    accuracy_difference,
    balanced_accuracy,
    confusion_matrix,
    expected_calibration_error,
    macro_auc,
)
from tasks.metrics.discrimination import auc, patient_scores
from tasks.metrics.intervals import clopper_pearson, mcnemar_exact, patient_weights

Array = np.ndarray


def predictions(truth: list[int], predicted: list[int], groups: list[str] | None = None) -> Predictions:
    """Each prediction with a probability of 0.7, the rest shared out."""
    classes = max(*truth, *predicted, 1) + 1
    probability = np.full((len(truth), classes), 0.3 / (classes - 1))
    probability[np.arange(len(truth)), predicted] = 0.7
    names = groups or [f"g{k}" for k in range(len(truth))]
    return Predictions(np.array(truth), np.array(predicted), probability, names)


def cohort(pictures: int = 60, *, groups: int | None = None, excluded: int = 0, seed: int = 4) -> Predictions:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 3, pictures)
    probability = (
        rng.dirichlet(np.ones(3), pictures).round(1) + 0.6 * np.eye(3)[truth] * (rng.random(pictures) < 0.6)[:, None]
    )
    probability /= probability.sum(axis=1, keepdims=True)
    predicted = probability.argmax(axis=1)
    predicted[:excluded] = EXCLUDED
    probability[:excluded] = np.nan
    names = [f"g{k}" for k in (rng.integers(0, groups, pictures) if groups else range(pictures))]
    return Predictions(truth, predicted, probability, names)


def resample(given: Predictions, weight: Array) -> Predictions:
    rows = np.concatenate([np.flatnonzero(given.owner == k) for k in np.repeat(np.arange(len(weight)), weight)])
    return Predictions(
        given.truth[rows], given.predicted[rows], given.probability[rows], [given.groups[k] for k in rows]
    )


def test_values_equal_scikit_learn() -> None:
    given = cohort()
    options = {"draws": 50, "seed": 0}
    assert accuracy(given, **options).value == accuracy_score(given.truth, given.predicted)
    assert balanced_accuracy(given, **options).value == pytest.approx(
        balanced_accuracy_score(given.truth, given.predicted)
    )
    assert macro_auc(given, **options).value == pytest.approx(
        roc_auc_score(given.truth, given.probability, multi_class="ovr", average="macro")
    )


def test_accuracy_of_single_pictures_has_the_exact_interval() -> None:
    found = accuracy(predictions([0, 0, 1, 1], [0, 0, 1, 0]), draws=100, seed=0)
    assert (found.value, found.pictures, found.groups) == (0.75, 4, 4)
    assert found.interval == clopper_pearson(3, 4)


@pytest.mark.parametrize("measure", [accuracy, balanced_accuracy, macro_auc])
def test_intervals_of_groups_equal_a_loop_over_resampled_groups(measure) -> None:
    given = cohort(40, groups=9)
    count = given.group_count
    drawn = [resample(given, weight) for weight in patient_weights(count, draws=150, seed=3)]
    assert all(set(one.truth) == {0, 1, 2} for one in drawn)
    values = [measure(one, draws=1, seed=0).value for one in drawn]
    found = measure(given, draws=150, seed=3)
    assert found.interval[:2] == pytest.approx(tuple(np.quantile(values, [0.025, 0.975])))
    assert found.interval.method == "group bootstrap, 150 draws"
    assert found.groups == count < found.pictures


def test_auc_of_two_classes_is_that_of_discrimination() -> None:
    given = predictions([0, 1, 1, 0, 1, 0], [0, 1, 0, 0, 1, 1])
    given = replace(
        given, probability=np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.6, 0.4], [0.1, 0.9], [0.5, 0.5]])
    )
    expected = auc([patient_scores(given.probability[:, 1], given.truth == 1)])
    assert macro_auc(given, draws=10, seed=0).value == pytest.approx(expected)


def test_excluded_pictures_count_as_wrong_over_what_was_received() -> None:
    given = predictions([0, 0, 1, 1], [0, 0, 1, 1])
    lost = replace(given, predicted=np.array([0, EXCLUDED, 1, 1]))
    options = {"draws": 200, "seed": 0}
    assert accuracy(lost, **options).value == 0.75
    assert balanced_accuracy(lost, **options).value == 0.75
    # The lost picture of class 0 is below both of class 1, and above them when class 1 is asked for.
    assert macro_auc(lost, **options).value == pytest.approx(0.5)
    kept = lost.analysed()
    assert kept is not None
    assert accuracy(kept, **options)[0] == 1.0
    assert accuracy(kept, **options).pictures == 3
    assert replace(given, predicted=np.full(4, EXCLUDED)).analysed() is None


def test_a_perfect_classifier_has_no_interval_from_1_to_1() -> None:
    given = predictions([0, 0, 1, 1], [0, 0, 1, 1], ["a", "a", "b", "c"])
    for measure in (accuracy, balanced_accuracy, macro_auc):
        found = measure(given, draws=100, seed=0)
        assert found.value == 1.0
        assert found.interval is not None
        assert (found.interval.low, found.interval.high) == (pytest.approx(clopper_pearson(3, 3).low), 1.0)


def test_one_class_alone_has_no_auc() -> None:
    found = macro_auc(predictions([0, 0], [0, 1]), draws=10, seed=0)
    assert math.isnan(found.value)
    assert found.interval is None


def test_confusion_by_hand() -> None:
    given = predictions([0, 0, 1, 2], [0, 1, 1, EXCLUDED])
    assert confusion_matrix(given).tolist() == [[1, 1, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1]]


def test_calibration_error_by_hand() -> None:
    given = predictions([0, 0, 0, 1], [0, 0, 1, EXCLUDED])  # 2 of 3 right at a confidence of 0.7
    assert expected_calibration_error(given) == pytest.approx(0.7 - 2 / 3)
    split = replace(given, probability=np.array([[1.0, 0], [0.55, 0.45], [0.4, 0.6], [0, 0]]))
    assert expected_calibration_error(split) == pytest.approx((0 + abs(1 - 0.55 + 0 - 0.6)) / 3)
    assert math.isnan(expected_calibration_error(replace(given, predicted=np.full(4, EXCLUDED))))


def test_a_difference_of_single_pictures_is_tested_by_mcnemar() -> None:
    truth = [0] * 12
    first, second = predictions(truth, [0] * 9 + [1] * 3), predictions(truth, [1] * 7 + [0] * 3 + [1] * 2)
    found = accuracy_difference(first, second, draws=500, seed=0)
    assert (found.both, found.first_only, found.second_only, found.neither) == (2, 7, 1, 2)
    assert found.value == pytest.approx(0.5)
    assert (found.p, found.test) == (mcnemar_exact(7, 1), "McNemar, exact")
    back = accuracy_difference(second, first, draws=500, seed=0)
    assert (back.value, back.p) == (-found.value, found.p)


def test_a_difference_of_groups_is_bootstrapped() -> None:
    truth, groups = [0] * 12, [f"g{k // 3}" for k in range(12)]
    first, second = predictions(truth, [0] * 12, groups), predictions(truth, [0] * 9 + [1] * 3, groups)
    found = accuracy_difference(first, second, draws=400, seed=0)
    assert found.value == 0.25
    assert found.p > 0.3  # one group of four differs, however many pictures it has
    assert found.test == "group bootstrap, 400 draws"
    with pytest.raises(ValueError, match="same pictures"):
        accuracy_difference(first, predictions(truth, [0] * 12), draws=10, seed=0)


def test_order_of_pictures_and_names_of_groups_change_nothing() -> None:
    given = cohort(40, groups=9, excluded=3)
    order = np.random.default_rng(1).permutation(40)
    other = Predictions(
        given.truth[order],
        given.predicted[order],
        given.probability[order],
        [f"x{9 - int(given.groups[k][1:])}" for k in order],
    )
    for measure in (accuracy, balanced_accuracy, macro_auc):
        one, again = (measure(side, draws=100, seed=0) for side in (given, other))
        assert one.value == pytest.approx(again.value)
        assert one.interval[:2] == pytest.approx(again.interval[:2])


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"truth": np.array([0, 2])}, "expected classes from 0 to 1"),
        ({"predicted": np.array([0, -2])}, "expected predictions from -1"),
        ({"groups": ["a"]}, "one class, prediction and group"),
        ({"probability": np.array([[np.nan, 1], [0, 1]])}, "finite probabilities"),
    ],
)
def test_what_does_not_fit_is_refused(change: dict, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        replace(predictions([0, 1], [0, 1]), **change)
