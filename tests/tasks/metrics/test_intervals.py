"""Intervals against tables and hand counts, and their behaviour where a bootstrap knows nothing."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.metrics.intervals import (
    bounded_interval,
    clopper_pearson,
    equal_values,
    mcnemar_exact,
    mean_draws,
    paired_difference,
    patient_weights,
    percentile_ends,
    poisson_rate,
    rate_interval,
    ratio_draws,
)


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [(0, 10, 0.0, 0.3085), (5, 10, 0.1871, 0.8129), (10, 100, 0.0490, 0.1762), (10, 10, 0.6915, 1.0)],
)
def test_clopper_pearson_equals_the_tables(successes: int, n: int, low: float, high: float) -> None:
    assert clopper_pearson(successes, n)[:2] == pytest.approx((low, high), abs=5e-5)


def test_24_of_24_patients_do_not_give_an_interval_from_1_to_1() -> None:
    assert clopper_pearson(24, 24).low == pytest.approx(0.025 ** (1 / 24))


def test_clopper_pearson_of_nobody_is_refused() -> None:
    with pytest.raises(ValueError, match="n >= 1"):
        clopper_pearson(0, 0)


@pytest.mark.parametrize(("events", "low", "high"), [(0, 0.0, 3.689), (1, 0.0253, 5.572), (10, 4.795, 18.39)])
def test_poisson_interval_equals_the_tables(events: int, low: float, high: float) -> None:
    assert poisson_rate(events, 1.0)[:2] == pytest.approx((low, high), abs=5e-3)


def test_poisson_rate_divides_by_the_exposure() -> None:
    assert poisson_rate(10, 20.0).high == pytest.approx(poisson_rate(10, 1.0).high / 20)


@pytest.mark.parametrize(("first", "second", "p"), [(6, 0, 2 / 64), (10, 2, 2 * 79 / 4096), (3, 3, 1.0), (0, 0, 1.0)])
def test_mcnemar_equals_the_binomial_tail_counted_by_hand(first: int, second: int, p: float) -> None:
    assert mcnemar_exact(first, second) == pytest.approx(p)
    assert mcnemar_exact(second, first) == pytest.approx(p)


def test_every_draw_has_as_many_patients_as_the_cohort() -> None:
    weights = patient_weights(7, draws=100, seed=1)
    assert weights.shape == (100, 7)
    assert (weights.sum(axis=1) == 7).all()


def test_a_draw_is_the_statistic_of_the_patients_repeated_by_their_weights() -> None:
    hits, lesions = np.array([0.0, 1.0, 3.0]), np.array([2.0, 1.0, 4.0])
    weights = patient_weights(3, draws=50, seed=5)
    expected = [hits.repeat(w).sum() / lesions.repeat(w).sum() for w in weights]
    np.testing.assert_allclose(ratio_draws(hits, lesions, draws=50, seed=5), expected)


def test_bootstrap_of_a_mean_agrees_with_the_standard_error() -> None:
    values = np.random.default_rng(0).normal(size=400)
    low, high = percentile_ends(mean_draws(values, draws=4000, seed=0)) or (0.0, 0.0)
    half = 1.96 * values.std() / 20
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.1 * half)


def test_the_order_of_patients_changes_no_bit_of_an_interval() -> None:
    rng = np.random.default_rng(3)
    events, exposure = rng.integers(0, 4, 30), rng.uniform(1, 9, 30)
    order = rng.permutation(30)
    first = ratio_draws(events, exposure, draws=200, seed=2)
    assert (first == ratio_draws(events[order], exposure[order], draws=200, seed=2)).all()
    assert (first != ratio_draws(events, exposure, draws=200, seed=4)).any()


def test_bootstrap_without_width_gives_way_to_an_exact_bound_and_says_so() -> None:
    interval = bounded_interval(mean_draws(np.ones(24), draws=500, seed=0), value=1.0, n=24)
    assert interval[:2] == pytest.approx(clopper_pearson(24, 24)[:2])
    assert "exact bound for 24 alike" in interval.method


def test_bootstrap_with_width_keeps_its_percentiles() -> None:
    draws = mean_draws([0.0, 1.0, 1.0, 1.0], draws=500, seed=0)
    interval = bounded_interval(draws, value=0.75, n=4)
    assert interval[:2] == pytest.approx(tuple(np.quantile(draws, [0.025, 0.975])))
    assert interval.method == "patient bootstrap, 500 draws"


def test_one_patient_tells_almost_nothing() -> None:
    low, high, _ = bounded_interval(mean_draws([0.8], draws=100, seed=0), value=0.8, n=1)
    assert low == pytest.approx(0.025 * 0.8)
    assert high == pytest.approx(0.025 * 0.8 + 0.975)


def test_equal_values_inside_the_range_have_room_on_both_sides() -> None:
    u = 1 - 0.025 ** (1 / 10)
    low, high, _ = equal_values(0.5, 10, least=-1.0, most=1.0)
    assert (low, high) == pytest.approx((0.5 * (1 - u) - u, 0.5 * (1 - u) + u))


def test_no_false_positive_in_24_scans_has_the_exact_poisson_bound() -> None:
    draws = ratio_draws(np.zeros(24), np.ones(24), draws=200, seed=0)
    interval = rate_interval(draws, events=0, exposure=24.0)
    assert interval[:2] == pytest.approx((0.0, 3.6889 / 24), abs=1e-4)
    assert "exact Poisson" in interval.method


def test_draws_without_a_value_are_left_out() -> None:
    assert percentile_ends(np.array([np.nan, 0.0, 1.0])) == pytest.approx((0.025, 0.975))
    assert percentile_ends(np.array([np.nan, np.nan])) is None


def test_paired_difference_of_equal_methods_is_0_with_p_1_and_an_interval_around_it() -> None:
    result = paired_difference([0.2, 0.7, 0.9], [0.2, 0.7, 0.9], draws=300, seed=0)
    assert (result.value, result.p, result.n) == (0.0, 1.0, 3)
    assert result.interval.low < 0.0 < result.interval.high


def test_paired_difference_sees_a_gain_in_every_patient_that_unpaired_spread_would_hide() -> None:
    theirs = np.linspace(0.0, 0.8, 20)
    result = paired_difference(theirs + np.linspace(0.05, 0.15, 20), theirs, draws=1000, seed=0)
    assert result.value == pytest.approx(0.1)
    assert 0.05 < result.interval.low < result.interval.high < 0.15
    assert result.p == pytest.approx(2 / 1001)


def test_paired_difference_changes_sign_with_the_sides() -> None:
    a, b = np.array([0.1, 0.5, 0.9, 0.4]), np.array([0.2, 0.3, 0.4, 0.4])
    assert paired_difference(a, b, draws=100, seed=0).value == pytest.approx(
        -paired_difference(b, a, draws=100, seed=0).value
    )


def test_lists_of_other_length_are_refused() -> None:
    with pytest.raises(ValueError, match="one length"):
        paired_difference([0.1, 0.2], [0.1], draws=100, seed=0)
