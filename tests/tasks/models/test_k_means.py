"""Phenotypes: planted clusters are found, counted, described; their number is believed only when it comes back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from storage.classical import load_model, save_model
from tasks.metrics.intervals import clopper_pearson
from tasks.models.estimators.phenotypes import Clustering, PhenotypeClassifier, choose, jaccard, nearest, try_all
from tasks.models.k_means import Settings, build, facts

CORNERS = np.array([[3.0, 0.0, 0.0], [0.0, 3.0, 0.0], [0.0, 0.0, 3.0]])


def planted(sizes: tuple[int, ...] = (60, 40, 20), spread: float = 0.3, seed: int = 0) -> tuple[Any, Any]:
    """Three clouds, standardized; all of the second are of class 'b', the others of 'a'."""
    cloud = np.repeat(np.arange(3), sizes)
    rows = CORNERS[cloud] + spread * np.random.default_rng(seed).normal(size=(len(cloud), 3))
    rows = (rows - rows.mean(axis=0)) / rows.std(axis=0)
    order = np.random.default_rng(seed + 1).permutation(len(cloud))
    return rows[order], np.where(cloud == 1, "b", "a")[order]


def fitted(**options: Any) -> PhenotypeClassifier:
    return build(Settings(bootstraps=2, **options), columns=3, seed=0).fit(*planted())


def test_planted_clusters_are_found_with_their_number_and_sizes() -> None:
    model = fitted()
    assert model.counts_.tolist() == [[60, 0], [0, 40], [20, 0]]
    assert model.tried_.tolist() == [2, 3, 4, 5, 6]
    assert model.stabilities_[1] == pytest.approx(1.0)
    assert model.jaccard_ == pytest.approx(np.ones(3))


def test_probabilities_are_the_shares_with_laplaces_correction() -> None:
    rows, labels = planted()
    model = fitted()
    found = model.predict_proba(rows)
    assert sorted({tuple(row) for row in found.round(12).tolist()}) == [
        pytest.approx((1 / 42, 41 / 42)),
        pytest.approx((21 / 22, 1 / 22)),
        pytest.approx((61 / 62, 1 / 62)),
    ]
    assert (model.predict(rows) == labels).all()
    assert fitted(pseudo_count=1e9).predict_proba(rows) == pytest.approx(np.full((120, 2), 0.5))


def test_noise_has_no_stable_clusters_and_says_so() -> None:
    rows = np.random.default_rng(0).normal(size=(200, 8))
    model = build(Settings(bootstraps=4), columns=8, seed=0).fit(rows, np.arange(200) % 2 == 0)
    assert model.silhouettes_.max() < 0.2
    assert model.stabilities_.max() < 0.6
    assert len(model.centres_) == model.tried_[model.stabilities_.argmax()]
    assert abs(model.predict_proba(rows) - 0.5).max() < 0.25


def test_of_stable_numbers_the_best_silhouette_wins_and_of_none_the_most_stable() -> None:
    def one(k: int, silhouette: float, stability: float) -> Clustering:
        return Clustering(np.zeros((k, 1)), np.zeros(1, np.int64), silhouette, stability, np.zeros(k))

    found = [one(2, 0.3, 0.9), one(3, 0.5, 0.7), one(4, 0.8, 0.59)]
    assert len(choose(found, stable=0.6).centres) == 3
    assert len(choose(found, stable=0.5).centres) == 4
    assert len(choose(found, stable=1.0).centres) == 2


def test_the_jaccard_index_by_hand() -> None:
    members, others = np.array([0, 0, 0, 1, 1]), np.array([1, 1, 0, 0, 0])
    assert jaccard(members, others, 2).tolist() == [2 / 3, 2 / 3]
    assert jaccard(members, 1 - members, 2).tolist() == [1.0, 1.0]


def test_a_row_belongs_to_its_nearest_centre_and_between_two_to_the_first() -> None:
    assert nearest(np.array([[0.9], [2.1], [1.5]]), np.array([[1.0], [2.0]])).tolist() == [0, 1, 0]


def test_the_same_rows_and_seed_give_the_same_bytes_and_a_row_alone_too() -> None:
    rows, labels = planted(spread=2.0)
    settings = Settings(most=3, bootstraps=2)
    one, other = (build(settings, columns=3, seed=5).fit(rows, labels) for _ in range(2))
    assert one.centres_.tobytes() == other.centres_.tobytes()
    alone = np.concatenate([one.predict_proba(row[None]) for row in rows])
    assert alone.tobytes() == one.predict_proba(rows).tobytes()


def test_the_table_says_size_shares_and_what_marks_a_cluster() -> None:
    said: Any = facts(fitted(), ["first", "second", "third"])
    assert [one["size"] for one in said["clusters"]] == [60, 40, 20]
    assert [one["marks"][0]["name"] for one in said["clusters"]] == ["first", "second", "third"]
    assert all(one["marks"][0]["deviations"] > 0.9 for one in said["clusters"])
    low, high, _ = clopper_pearson(0, 60)
    assert said["clusters"][0]["classes"] == [
        {"label": "a", "count": 60, "share": 1.0, "low": pytest.approx(1 - high, abs=1e-6), "high": 1.0},
        {"label": "b", "count": 0, "share": 0.0, "low": low, "high": pytest.approx(high, abs=1e-6)},
    ]
    assert [one["clusters"] for one in said["tried"]] == [2, 3, 4, 5, 6]


def test_a_saved_model_says_the_same(tmp_path: Path) -> None:
    model = fitted()
    save_model(tmp_path / "model.skops", model)
    again = load_model(tmp_path / "model.skops")
    assert again.predict_proba(planted(seed=3)[0]).tobytes() == model.predict_proba(planted(seed=3)[0]).tobytes()
    assert facts(again, "abc") == facts(model, "abc")


@pytest.mark.parametrize("rows", [np.ones((6, 2)), np.repeat([[0.0, 1.0], [1.0, 0.0]], 3, axis=0)])
def test_fewer_than_three_different_rows_are_one_cluster(rows: np.ndarray) -> None:
    labels = np.arange(6) < 2
    model = build(Settings(), columns=2, seed=0).fit(rows, labels)
    assert model.counts_.tolist() == [[4, 2]]
    assert model.predict_proba(rows[:1]).tolist() == [[5 / 8, 3 / 8]]


def test_few_rows_and_one_class_stop_nothing() -> None:
    rows = np.array([[0.0], [0.1], [5.0], [5.1]])
    assert [len(one.centres) for one in try_all(rows, most=6, bootstraps=3, seed=0)] == [2, 3]
    model = build(Settings(), columns=1, seed=0).fit(rows, [True] * 4)
    assert model.predict_proba(rows).tolist() == [[1.0]] * 4
