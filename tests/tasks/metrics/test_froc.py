"""FROC by hand: four scans, three lesions.

Scores of lesions: 0.9, 0.6 and never. False positives: 0.8, 0.7, 0.5 and 0.4 in four scans. So the curve passes
(0, 1/3) at 0.9, (1/4, 1/3), (2/4, 1/3), (2/4, 2/3) at 0.6, (3/4, 2/3), (4/4, 2/3).
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from tasks.metrics.froc import CPM_RATES, PatientDetections, cpm, froc_curve, sensitivities, sensitivity_draws
from tasks.metrics.intervals import patient_weights

NEVER = -math.inf
COHORT = [
    PatientDetections(1, (NEVER, 0.9), (0.7,)),
    PatientDetections(2, (0.6,), (0.4, 0.8)),
    PatientDetections(1, (), (0.5,)),
]


def test_curve_by_hand() -> None:
    curve = froc_curve(COHORT)
    assert curve.thresholds == (math.inf, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4)
    assert curve.fp_per_scan == (0, 0, 0.25, 0.5, 0.5, 0.75, 1.0)
    assert curve.sensitivity == pytest.approx((0, 1 / 3, 1 / 3, 1 / 3, 2 / 3, 2 / 3, 2 / 3))


def test_sensitivity_is_the_best_within_the_allowed_rate() -> None:
    assert sensitivities(COHORT, (0.0, 0.49, 0.5, 8.0)) == pytest.approx((1 / 3, 1 / 3, 2 / 3, 2 / 3))


def test_cpm_by_hand() -> None:
    assert cpm(sensitivities(COHORT, CPM_RATES)) == pytest.approx((2 * (1 / 3) + 5 * (2 / 3)) / 7)


def test_cpm_refuses_other_rates() -> None:
    with pytest.raises(ValueError, match="CPM needs"):
        cpm(np.ones(3))


def test_a_lesion_and_a_false_positive_of_one_score_count_together() -> None:
    tied = [PatientDetections(1, (0.5,), (0.5,))]
    assert sensitivities(tied, (0.5, 1.0)) == pytest.approx((0.0, 1.0))


def test_perfect_and_blind_detectors() -> None:
    assert cpm(sensitivities([PatientDetections(1, (0.1, 0.2), ())], CPM_RATES)) == 1.0
    assert cpm(sensitivities([PatientDetections(1, (NEVER,), (0.3,))], CPM_RATES)) == 0.0


def test_patient_without_scan_adds_missed_lesions_and_no_room_for_false_positives() -> None:
    excluded = PatientDetections(0, (NEVER,), ())
    assert sensitivities([*COHORT, excluded], (0.5,)) == pytest.approx((2 / 4,))


def test_draws_equal_the_cohort_with_patients_repeated() -> None:
    weights = patient_weights(3, draws=200, seed=4)
    draws = sensitivity_draws(COHORT, CPM_RATES, draws=200, seed=4)
    ordered = sorted(COHORT)
    for weight, row in zip(weights, draws, strict=True):
        repeated = [patient for patient, times in zip(ordered, weight, strict=True) for _ in range(times)]
        np.testing.assert_allclose(row, sensitivities(repeated, CPM_RATES))
    assert np.isnan(draws).any(), "some draw should hold only the patient without a lesion"


def test_the_order_of_patients_changes_nothing() -> None:
    first = sensitivity_draws(COHORT, CPM_RATES, draws=50, seed=0)
    np.testing.assert_array_equal(first, sensitivity_draws(COHORT[::-1], CPM_RATES, draws=50, seed=0))


def test_no_lesion_means_no_sensitivity_and_no_curve() -> None:
    assert np.isnan(sensitivities([PatientDetections(1, (), (0.5,))], (1.0,))).all()
    with pytest.raises(ValueError, match="needs lesions and scans"):
        froc_curve([PatientDetections(1, (), (0.5,))])
