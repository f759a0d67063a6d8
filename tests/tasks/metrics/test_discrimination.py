"""AUC by hand and against scikit-learn; its interval against a plain loop over resampled patients."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from tasks.metrics.discrimination import PatientScores, auc, auc_interval, patient_scores
from tasks.metrics.intervals import patient_weights


def cohort(patients: int) -> list[PatientScores]:
    rng = np.random.default_rng(7)
    return [patient_scores(rng.integers(0, 12, 6) + 3 * (flags := rng.random(6) < 0.4), flags) for _ in range(patients)]


def test_auc_by_hand_counts_a_tie_as_half() -> None:
    # Pairs: 3 over 1, 3 over 2, 2 over 1, and 2 against 2.
    assert auc([patient_scores([3, 2, 1, 2], [True, True, False, False])]) == 3.5 / 4


def test_auc_pools_patients() -> None:
    # Within each patient the positive wins; across them 2 loses to 5.
    patients = [patient_scores([2, 1], [True, False]), patient_scores([6, 5], [True, False])]
    assert auc(patients) == 3 / 4


def test_auc_equals_scikit_learn() -> None:
    patients = cohort(9)
    positive = [s for p in patients for s in p.positive]
    negative = [s for p in patients for s in p.negative]
    flags = [1] * len(positive) + [0] * len(negative)
    assert auc(patients) == pytest.approx(roc_auc_score(flags, positive + negative))


def test_interval_equals_a_loop_over_resampled_patients() -> None:
    patients = sorted(cohort(8))
    values = [
        auc([p for p, times in zip(patients, weight, strict=True) for _ in range(times)])
        for weight in patient_weights(8, draws=300, seed=2)
    ]
    interval = auc_interval(patients, draws=300, seed=2)
    assert interval is not None
    assert interval[:2] == pytest.approx(tuple(np.quantile(values, [0.025, 0.975])))


def test_perfect_separation_has_no_interval_from_1_to_1() -> None:
    patients = [patient_scores([2, 1], [True, False])] * 5
    interval = auc_interval(patients, draws=200, seed=0)
    assert interval is not None
    assert interval[:2] == pytest.approx((0.025 ** (1 / 5), 1.0))


def test_one_class_alone_has_no_auc() -> None:
    patients = [patient_scores([1, 2], [False, False])]
    assert math.isnan(auc(patients))
    assert auc_interval(patients, draws=100, seed=0) is None


def test_the_order_of_patients_changes_nothing() -> None:
    patients = cohort(8)
    assert auc_interval(patients, draws=100, seed=0) == auc_interval(patients[::-1], draws=100, seed=0)


def test_a_flag_too_few_is_refused() -> None:
    with pytest.raises(ValueError, match="one flag per score"):
        patient_scores([1, 2], [True])
