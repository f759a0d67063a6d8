"""Stability of a selection: the index by its definition, its interval by the article's formula term by term."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.metrics.selection_stability import selection_stability

RNG = np.random.default_rng(0)


def by_the_article(kept: np.ndarray) -> tuple[float, float]:
    """Definition 4 and the variance of corollary 9, feature by feature and set by set."""
    m, d = kept.shape
    p = [sum(int(kept[i, f]) for i in range(m)) / m for f in range(d)]
    k = [sum(int(kept[i, f]) for f in range(d)) for i in range(m)]
    mean_k = sum(k) / m
    chance = mean_k / d * (1 - mean_k / d)
    phi = 1 - sum(m / (m - 1) * q * (1 - q) for q in p) / d / chance
    each = []
    for i in range(m):
        agreed = sum(int(kept[i, f]) * p[f] for f in range(d)) / d
        bracket = 2 * mean_k * k[i] / d**2 - k[i] / d - mean_k / d + 1
        each.append((agreed - k[i] * mean_k / d**2 + phi / 2 * bracket) / chance)
    mean = sum(each) / m
    return phi, 4 / m**2 * sum((one - mean) ** 2 for one in each)


@pytest.mark.parametrize("shape", [(2, 5), (5, 66), (30, 100)])
def test_it_is_what_the_article_says_term_by_term(shape: tuple[int, int]) -> None:
    kept = RNG.random(shape) < np.linspace(0.05, 0.9, shape[1])
    value, low, high = selection_stability(kept)
    phi, variance = by_the_article(kept)
    assert value == pytest.approx(phi)
    assert low == pytest.approx(phi - 1.959964 * variance**0.5)
    assert high == pytest.approx(min(1.0, phi + 1.959964 * variance**0.5))


def test_two_sets_of_two_of_four_that_share_one_are_as_alike_as_chance() -> None:
    assert selection_stability(np.array([[1, 1, 0, 0], [1, 0, 1, 0]], dtype=bool)).value == pytest.approx(0)


def test_the_same_set_each_time_is_1_and_so_is_its_interval() -> None:
    same = np.tile(np.arange(10) < 3, (5, 1))
    assert selection_stability(same) == pytest.approx((1, 1, 1))


def test_opposite_sets_are_minus_1() -> None:
    assert selection_stability(np.array([[1, 1, 0, 0], [0, 0, 1, 1]], dtype=bool)).value == pytest.approx(-1)


def test_the_interval_covers_0_where_sets_are_drawn_at_random() -> None:
    covered = 0
    for _ in range(200):
        kept = RNG.permuted(np.tile(np.arange(60) < 12, (40, 1)), axis=1)
        found = selection_stability(kept)
        covered += found.low <= 0 <= found.high
    assert 180 <= covered <= 200


def test_more_features_do_not_make_it_greater() -> None:
    few, many = (
        np.mean([selection_stability(RNG.random((20, 200)) < share).value for _ in range(20)]) for share in (0.1, 0.9)
    )
    assert abs(few - many) < 0.01


def test_it_is_not_defined_for_one_set_and_where_all_or_none_are_kept() -> None:
    assert selection_stability(np.array([[True, False]])) is None
    assert selection_stability(np.ones((4, 3), dtype=bool)) is None
    assert selection_stability(np.zeros((4, 3), dtype=bool)) is None
