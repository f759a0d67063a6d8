"""Boosting: stumps by hand and by brute force, and what Freund and Schapire promise."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import numpy as np
import pytest

from tasks.imaging.boosting import Stump, boosted_selection, votes
from tasks.imaging.haar_features import haar_features, haar_like

LABELS = np.array([0, 0, 0, 1, 1, 1], dtype=bool)


def noisy(seed: int = 0, count: int = 120, columns: int = 30) -> tuple[np.ndarray, np.ndarray]:
    """Noise, of which the columns 7 and 19 know something about the label."""
    rng = np.random.default_rng(seed)
    labels = rng.random(count) < 0.4
    features = rng.normal(size=(count, columns))
    features[:, 7] += 1.5 * labels
    features[:, 19] -= 1.2 * labels
    return features, labels


def test_a_feature_that_separates_is_chosen_with_a_threshold_halfway() -> None:
    features = np.array([[5.0, 1.0], [1.0, 2.0], [4.0, 3.0], [3.0, 7.0], [6.0, 8.0], [2.0, 9.0]])
    [stump] = boosted_selection(features, LABELS, 5)
    assert (stump.feature, stump.threshold, stump.polarity) == (1, 5.0, -1)
    [stump] = boosted_selection(-features, LABELS, 5)
    assert (stump.feature, stump.threshold, stump.polarity) == (1, -5.0, 1)


def test_one_wrong_of_six_weighs_the_logarithm_of_five() -> None:
    features = np.array([[1.0], [2.0], [9.0], [7.0], [8.0], [10.0]])
    stump = boosted_selection(features, LABELS, 1)[0]
    assert (stump.threshold, stump.polarity, stump.weight) == (4.5, -1, pytest.approx(math.log(5)))


def test_the_first_stump_has_the_smallest_error_of_all_by_brute_force() -> None:
    features, labels = noisy()
    features = np.round(features, 1)  # with ties
    weights = np.random.default_rng(1).uniform(0.5, 2.0, len(labels))
    stump = boosted_selection(features, labels, 1, weights=weights)[0]
    found = []
    for column, polarity in itertools.product(range(features.shape[1]), (1, -1)):
        values = np.unique(features[:, column])
        for threshold in (values[1:] + values[:-1]) / 2:
            said = (features[:, column] < threshold) == (polarity > 0)
            found.append(weights[said != labels].sum() / weights.sum())
    wrong = (votes(features, [stump]) > 0) != labels
    error = weights[wrong].sum() / weights.sum()
    assert error == pytest.approx(min(found), abs=1e-12)
    assert stump.weight == pytest.approx(math.log((1 - error) / error))


def test_each_stump_is_no_better_than_chance_for_the_examples_as_weighed_after_it() -> None:
    features, labels = noisy()
    stumps = boosted_selection(features, labels, 8)
    weights = np.where(labels, 0.5 / labels.sum(), 0.5 / (~labels).sum())
    for stump in stumps:
        wrong = (votes(features, [stump]) > 0) != labels
        error = weights[wrong].sum() / weights.sum()
        weights = np.where(wrong, weights, weights * error / (1 - error))
        assert weights[wrong].sum() / weights.sum() == pytest.approx(0.5)


def test_the_error_on_the_examples_stays_below_the_bound_of_freund_and_schapire() -> None:
    features, labels = noisy()
    stumps = boosted_selection(features, labels, 25)
    bound = 1.0
    for count, stump in enumerate(stumps, start=1):
        error = 1 / (1 + math.exp(stump.weight))
        bound *= 2 * math.sqrt(error * (1 - error))
        said = votes(features, stumps[:count]) >= sum(s.weight for s in stumps[:count]) / 2
        weights = np.where(labels, 0.5 / labels.sum(), 0.5 / (~labels).sum())
        assert weights[said != labels].sum() <= bound + 1e-12
    assert bound < 0.2


def test_the_columns_that_know_something_are_chosen_first() -> None:
    assert {stump.feature for stump in boosted_selection(*noisy(), 2)} == {7, 19}


def test_planted_edges_are_found_among_thousands_of_features() -> None:
    rng = np.random.default_rng(3)
    blocks = rng.normal(0.0, 1.0, (400, 12, 12))
    labels = np.arange(400) % 2 == 0
    blocks[labels, 3:9, 6:9] += 0.7
    features = haar_features((12, 12), ["two_x", "two_y"])
    assert len(features) > 4000
    stump = boosted_selection(haar_like(blocks, features), labels, 1)[0]
    edge = features.placed(stump.feature)
    assert (edge.pattern, stump.polarity) == ("two_x", -1)
    assert edge.at[1] + edge.size[1] == 6  # the border between the boxes is the edge


def test_threads_memory_order_and_precision_change_nothing() -> None:
    features, labels = noisy(columns=300)
    features = features.astype(np.float32)
    one = boosted_selection(features, labels, 6, threads=1)
    assert boosted_selection(features, labels, 6, threads=3) == one
    assert boosted_selection(np.asfortranarray(features), labels, 6) == one
    assert boosted_selection(features.astype(np.float64), labels, 6) == one


def test_of_equal_features_the_first_is_taken() -> None:
    features, labels = noisy()
    twice = np.concatenate([features, features], axis=1)
    assert boosted_selection(twice, labels, 10) == boosted_selection(features, labels, 10)


def test_neighbouring_numbers_are_told_apart() -> None:
    low = 1.0
    high = np.nextafter(low, 2.0)
    features = np.array([[low], [low], [low], [high], [high], [high]])
    stump = boosted_selection(features, LABELS, 1)[0]
    assert ((votes(features, [stump]) > 0) == LABELS).all()


def test_features_that_know_nothing_give_no_stump() -> None:
    assert boosted_selection(np.ones((6, 3)), LABELS, 5) == ()
    assert boosted_selection(np.array([[0.0], [1.0], [0.0], [1.0]]), [0, 0, 1, 1], 5) == ()
    assert boosted_selection(*noisy(), 0) == ()


def test_stumps_survive_as_json() -> None:
    for stump in boosted_selection(*noisy(), 3):
        assert Stump.model_validate_json(stump.model_dump_json()) == stump


def test_what_cannot_be_learned_from_is_refused() -> None:
    features = np.random.default_rng(0).normal(size=(6, 2))
    for labels in (np.ones(6), np.zeros(6), LABELS[:5]):
        with pytest.raises(ValueError, match="both classes"):
            boosted_selection(features, labels, 1)
    with pytest.raises(ValueError, match="finite values"):
        boosted_selection(np.where(features > 0, np.nan, features), LABELS, 1)
    with pytest.raises(ValueError, match="at least one feature"):
        boosted_selection(features[:, :0], LABELS, 1)
    for weights in (np.zeros(6), np.ones(5), np.full(6, np.inf)):
        with pytest.raises(ValueError, match="positive weight for each of 6"):
            boosted_selection(features, LABELS, 1, weights=weights)


def test_few_features_tell_pneumonia_on_small_radiographs(real_data: Path) -> None:
    pictures = np.load(real_data / "pneumoniamnist" / "pneumoniamnist.npz")
    features = haar_features((28, 28), step=4, smallest=4, size_step=2, balanced=True)
    values, unseen = (
        haar_like(pictures[f"{part}_images"], features, by_contrast=True)[::every]
        for part, every in (("train", 3), ("val", 1))
    )
    stumps = boosted_selection(values, pictures["train_labels"][::3, 0] == 1, 15)
    said = votes(unseen, stumps) >= sum(stump.weight for stump in stumps) / 2
    sick = pictures["val_labels"][:, 0] == 1
    assert (said[sick].mean() + (~said[~sick]).mean()) / 2 > 0.85
