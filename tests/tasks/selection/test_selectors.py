"""Each selector by itself: phantoms that can be reckoned by hand, and other implementations as references."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import false_discovery_control, kruskal, mannwhitneyu
from sklearn.feature_selection import SelectKBest, f_classif
from sklearn.linear_model import lasso_path
from sklearn.metrics import mutual_info_score

from tasks.classical.selector import best
from tasks.selection import (
    all_relevant,
    correlation,
    lasso,
    mutual_information,
    recursive_elimination,
    relief,
    stability,
    univariate,
    variance,
    vif,
)

RNG = np.random.default_rng(8)
LABELS = (np.arange(90) % 3 == 0).astype(np.int64)


def noise(columns: int = 12, rows: int = 90) -> np.ndarray:
    return np.random.default_rng(8).normal(size=(rows, columns))


# variance


def test_one_row_in_ten_that_differs_has_a_variance_of_9_hundredths_whatever_the_unit() -> None:
    column = (np.arange(10) == 3).astype(float)
    features = np.stack([column, column * 1e6 - 4, np.zeros(10), np.linspace(0, 1, 10)], axis=1)
    choice = variance.Settings(least=0.0901).choose(features, np.arange(10) % 2, seed=0)
    assert choice.scores[:3] == pytest.approx([0.09, 0.09, 0])
    assert choice.kept.tolist() == [False, False, False, True]


# univariate


@pytest.mark.parametrize("classes", [2, 4])
def test_the_best_are_those_of_scikit_learn(classes: int) -> None:
    features, labels = noise(30), np.arange(90) % classes
    features[:, 7] = features[:, 3]
    found = univariate.Settings(features=9).choose(features, labels, seed=0)
    assert np.array_equal(found.kept, SelectKBest(f_classif, k=9).fit(features, labels).get_support())


def test_ranks_are_tested_as_mann_and_whitney_do() -> None:
    features = np.round(noise(), 1)  # with ties
    scores, p = univariate.rank_test(features, LABELS)
    theirs = mannwhitneyu(features[LABELS == 1], features[LABELS == 0], method="asymptotic", use_continuity=False)
    np.testing.assert_allclose(p, theirs.pvalue)
    assert (scores > 0).all()


def test_ranks_of_three_classes_are_tested_as_kruskal_and_wallis_do() -> None:
    labels = np.arange(90) % 3
    features = np.round(noise(5), 1)
    theirs = [kruskal(*(column[labels == label] for label in range(3))) for column in features.T]
    np.testing.assert_allclose(univariate.rank_test(features, labels), np.transpose(theirs))


def test_an_outlier_misleads_f_and_not_the_ranks() -> None:
    features = noise(2)
    features[:, 1] = LABELS + 0.1 * features[:, 1]
    features[1, 1] = -500.0
    f, ranks = (
        univariate.Settings(test=test, features=1).choose(features, LABELS, seed=0).scores
        for test in ("f", "mann_whitney")
    )
    assert f[1] < 1
    assert ranks[1] > 30 > ranks[0]


def test_the_false_discovery_rate_is_that_of_benjamini_and_hochberg() -> None:
    features = noise(200)
    features[:, :20] += 1.0 * LABELS[:, None]
    choice = univariate.Settings(keep="fdr", rate=0.1).choose(features, LABELS, seed=0)
    p = np.sort(f_classif(features, LABELS)[1])
    passing = max(rank for rank in range(1, 201) if p[rank - 1] <= 0.1 * rank / 200)
    assert choice.kept.sum() == passing == (false_discovery_control(p) <= 0.1).sum()
    assert choice.kept[:20].sum() > 10
    assert choice.kept[20:].sum() <= 6


# correlation


def test_columns_that_say_the_same_in_another_unit_or_turned_round_are_one_cluster() -> None:
    base = noise(3)
    # Ranks do not tell the exponential from its argument; Pearson's correlation does.
    features = np.concatenate([base, np.exp(base[:, :1]), -base[:, 1:2]], axis=1)
    choice = correlation.Settings(least=0.99).choose(features, LABELS, seed=0)
    assert choice.kept.sum() == 3
    assert sorted(choice.scores) == [0, 0, 1, 2, 2]
    assert correlation.Settings(least=0.99, ranks=False).choose(features, LABELS, seed=0).kept.sum() == 4


def test_the_representative_is_the_column_in_which_the_classes_lie_furthest_apart() -> None:
    features = noise(1) + 0.1 * noise(4)
    features[:, 2] += 0.3 * LABELS
    choice = correlation.Settings(least=0.8).choose(features, LABELS, seed=0)
    assert choice.scores.tolist() == [0, 0, 4, 0]


def test_the_central_representative_does_not_look_at_labels() -> None:
    features = noise(1) + 0.1 * noise(4) * [1, 2, 0, 2]
    settings = correlation.Settings(least=0.8, representative="central")
    one, other = (settings.choose(features, labels, seed=0).kept for labels in (LABELS, LABELS[::-1]))
    assert one.tolist() == other.tolist() == [False, False, True, False]


def test_any_two_columns_of_a_cluster_correlate_as_much_as_asked() -> None:
    steps = np.cumsum(noise(12), axis=1)
    rho = np.abs(correlation.correlations(steps, ranks=True))
    cluster = correlation.clusters(rho, 0.8)
    together = cluster[:, None] == cluster[None, :]
    assert rho[together].min() >= 0.8
    assert 1 < len(np.unique(cluster)) < 12


# vif


def test_a_sum_of_two_columns_is_dropped_with_the_vif_of_a_regression() -> None:
    features = noise(4)
    features[:, 2] += 3 * LABELS  # so it is looked at first, and the last of the other three with all others taken
    features[:, 3] = features[:, 0] + features[:, 1] + 0.1 * features[:, 3]
    features = (features - features.mean(axis=0)) / features.std(axis=0)
    choice = vif.Settings(most=10).choose(features, LABELS, seed=0)
    assert choice.kept.sum() == 3
    kept, [out] = np.flatnonzero(choice.kept), np.flatnonzero(~choice.kept)
    for column, others in [(out, kept), *((k, kept[kept != k]) for k in kept)]:
        rest = (
            features[:, column]
            - features[:, others] @ np.linalg.lstsq(features[:, others], features[:, column], rcond=None)[0]
        )
        assert -choice.scores[column] == pytest.approx(1 / rest.var())


def test_no_column_kept_is_above_the_limit_with_more_columns_than_rows() -> None:
    features = noise(60, rows=30)
    choice = vif.Settings(most=5).choose(features, LABELS[:30], seed=0)
    kept = features[:, choice.kept]
    assert np.diag(np.linalg.inv(np.corrcoef(kept, rowvar=False))).max() <= 5 + 1e-9
    assert kept.shape[1] > 5


# mutual information


def test_information_is_counted_as_scikit_learn_counts_it_less_what_chance_brings() -> None:
    features = noise(6)
    features[:, 2] += 2 * LABELS
    choice = mutual_information.Settings(features=1, bins=5).choose(features, LABELS, seed=0)
    bins = mutual_information.bin_members(features, 5).argmax(axis=2)
    assert (np.bincount(bins[:, 0]) == 18).all()
    chance = (5 - 1) * (2 - 1) / (2 * 90)
    relevance = np.array([mutual_info_score(LABELS, column) for column in bins.T]) - chance
    assert choice.scores[2] == pytest.approx(relevance[2])
    assert choice.kept.tolist() == [False, False, True, False, False, False]


def test_the_copy_of_a_column_is_passed_over_for_a_weaker_one_that_says_something_else() -> None:
    features = noise(3)
    features[:, 0] += 3 * LABELS
    features[:, 1] = features[:, 0] + 0.01 * features[:, 1]
    features[:, 2] += LABELS
    assert mutual_information.Settings(features=2).choose(features, LABELS, seed=0).kept.tolist() in (
        [True, False, True],
        [False, True, True],
    )
    assert univariate.Settings(features=2).choose(features, LABELS, seed=0).kept.tolist() == [True, True, False]


# relief


def relief_by_loops(features: np.ndarray, labels: np.ndarray, k: int) -> np.ndarray:
    """Robnik-Šikonja & Kononenko 2003, figure 3, one row and one column at a time, over all rows."""
    rows, columns = features.shape
    width = features.max(axis=0) - features.min(axis=0)
    weights = np.zeros(columns)
    for i in range(rows):
        distance = [np.sum(np.abs(features[i] - features[j]) / width) for j in range(rows)]
        for label in np.unique(labels):
            others = [j for j in range(rows) if labels[j] == label and j != i]
            nearest = sorted(others, key=lambda j: distance[j])[:k]
            prior = np.mean(labels == label) / (1 - np.mean(labels == labels[i]))
            sign = -1 if label == labels[i] else prior
            for j in nearest:
                weights += sign * np.abs(features[i] - features[j]) / width / (rows * len(nearest))
    return weights


@pytest.mark.parametrize("classes", [2, 3])
def test_the_weights_are_those_of_the_article(classes: int) -> None:
    features, labels = noise(4, rows=40), np.arange(40) % classes
    found = relief.relief_weights(features, labels, np.arange(40), 5)
    np.testing.assert_allclose(found, relief_by_loops(features, labels, 5))


def test_columns_that_tell_only_together_are_found_where_f_is_blind() -> None:
    features = np.random.default_rng(0).uniform(-1, 1, size=(300, 8))
    labels = ((features[:, 2] > 0) ^ (features[:, 5] > 0)).astype(np.int64)
    assert np.flatnonzero(relief.Settings(features=2).choose(features, labels, seed=0).kept).tolist() == [2, 5]
    assert univariate.f_test(features, labels)[0][[2, 5]].max() < 4


def test_rows_that_ask_are_drawn_evenly_and_a_rare_class_asks_in_full() -> None:
    labels = (np.arange(100) >= 90).astype(np.int64)
    drawn = relief.draw_evenly(labels, 30, np.random.default_rng(0))
    assert (len(drawn), len(set(drawn)), labels[drawn].sum()) == (30, 30, 10)
    assert np.array_equal(relief.draw_evenly(labels, 500, np.random.default_rng(0)), np.arange(100))


# lasso


def test_columns_enter_in_the_order_of_scikit_learns_path() -> None:
    features, labels = noise(15), np.arange(90) % 2  # equal classes: no weights
    features[:, [3, 8]] += np.array([1.5, 0.8]) * labels[:, None]
    features -= features.mean(axis=0)
    scores = lasso.entering_penalties(features, labels, count=15, absolute_part=1.0)
    _, weights, _ = lasso_path(features, labels - 0.5, alphas=np.geomspace(0.25, 0.25e-3, 1000) * 2)
    entered = (weights != 0).argmax(axis=1)
    assert np.argsort(-scores)[:2].tolist() == [3, 8]
    assert np.corrcoef(np.argsort(np.argsort(entered)), np.argsort(np.argsort(-scores)))[0, 1] > 0.98


def test_no_more_columns_than_asked_enter_and_an_elastic_net_takes_both_of_a_pair() -> None:
    features = noise(10)
    features[:, 4] += 3 * LABELS
    features[:, 5] = features[:, 4] + 0.05 * features[:, 5]
    assert lasso.Settings(features=3).choose(features, LABELS, seed=0).kept.sum() == 3
    net = lasso.Settings(features=2, absolute_part=0.05).choose(features, LABELS, seed=0)
    assert np.flatnonzero(net.kept).tolist() == [4, 5]


def test_columns_that_have_nothing_to_do_with_the_classes_never_enter() -> None:
    features = np.tile([[1.0], [-1.0]], (10, 1))
    labels = np.repeat([0, 1], 10)
    assert lasso.entering_penalties(features, labels, count=1, absolute_part=1.0).tolist() == [0]


# recursive elimination


def test_a_column_that_helps_another_outlives_one_that_looks_better_alone() -> None:
    """The first column is signal plus a disturbance, the second the disturbance: alone it tells nothing."""
    disturbance = noise(3)
    features = np.stack(
        [LABELS + disturbance[:, 0], disturbance[:, 0], 0.5 * LABELS + disturbance[:, 1], disturbance[:, 2]], axis=1
    )
    features = (features - features.mean(axis=0)) / features.std(axis=0)
    settings = recursive_elimination.Settings(features=2, drop=0.1, penalty=1e-6)
    assert settings.choose(features, LABELS, seed=0).kept.tolist() == [True, True, False, False]
    assert univariate.Settings(features=2).choose(features, LABELS, seed=0).kept.tolist() == [True, False, True, False]


def test_what_goes_earlier_scores_less() -> None:
    features = noise(20)
    features[:, 0] += 2 * LABELS
    choice = recursive_elimination.Settings(features=2, drop=0.5).choose(features, LABELS, seed=0)
    # 20 columns, then 10, 5, 3 and 2. A weight is 1 at most, and 1 is taken off for each round that came after.
    rounds_after = [4] * 10 + [3] * 5 + [2] * 2 + [1] + [0] * 2
    for score, rounds in zip(np.sort(choice.scores), rounds_after, strict=True):
        assert -rounds <= score <= 1 - rounds
    assert np.array_equal(choice.kept, best(choice.scores, 2))


# all relevant


def test_all_that_tells_is_kept_copies_too_and_no_noise() -> None:
    features = noise(16)
    features[:, 3] += 3 * LABELS
    features[:, 4] = features[:, 3] + 0.2 * features[:, 4]
    choice = all_relevant.Settings(rounds=12, trees=20).choose(features, LABELS, seed=0)
    assert np.flatnonzero(choice.kept).tolist() == [3, 4]
    assert choice.scores[[3, 4]].min() > 0.9 > np.delete(choice.scores, [3, 4]).max()


def test_of_noise_nothing_is_kept() -> None:
    assert not all_relevant.Settings(rounds=12, trees=10).choose(noise(10), LABELS, seed=0).kept.any()


# stability


def test_a_column_that_tells_is_chosen_by_every_half_and_noise_by_few() -> None:
    features = noise(40)
    features[:, 6] += 2 * LABELS
    choice = stability.Settings(pairs=10, features=3).choose(features, LABELS, seed=0)
    assert choice.scores[6] == 1.0
    assert np.flatnonzero(choice.kept).tolist() == [6]
    assert choice.scores.sum() == pytest.approx(3)  # each half chose three


def test_both_halves_are_apart_and_hold_every_class() -> None:
    labels = np.array([0] * 7 + [1] * 5 + [2])
    for seed in range(5):
        one, other = stability.cut_in_halves(labels, np.random.default_rng(seed))
        assert set(one) & set(other) == {12}
        assert set(one) | set(other) == set(range(13))
        assert set(labels[one]) == set(labels[other]) == {0, 1, 2}
        assert abs(int((labels[one] == 0).sum()) - 3.5) == 0.5
