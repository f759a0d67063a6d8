"""Clusters of rows, how many there are, how often they come back, and which classes lie in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score, silhouette_score
from sklearn.utils.validation import check_is_fitted, validate_data
from threadpoolctl import threadpool_limits

Floats = npt.NDArray[np.float64]
Members = npt.NDArray[np.int64]
MOST_COMPARED = 2000
"""Rows between which the silhouette compares distances, drawn where there are more."""
SEEDS = 2**31


@dataclass(frozen=True, eq=False)
class Clustering:
    """One number of clusters tried.

    Attributes
    ----------
    centres
        ``(k, columns)``, the largest cluster first.
    members
        Cluster of each row, ``(n,)``.
    silhouette
        -1 to 1: how much nearer rows are to their own cluster than to the next (Rousseeuw 1987).
    stability
        Adjusted Rand index with clusterings of bootstrap samples, their mean (Hubert & Arabie 1985).
    jaccard
        ``(k,)``: of each cluster with the most similar one of a bootstrap sample, their mean (Hennig 2007).
    """

    centres: Floats
    members: Members
    silhouette: float
    stability: float
    jaccard: Floats


class PhenotypeClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """See `tasks.models.k_means.Settings` for the parameters.

    Attributes
    ----------
    classes_
        The classes, sorted.
    centres_
        ``(k, columns)``, the largest cluster first.
    counts_
        Training rows by cluster and class, ``(k, classes)``.
    jaccard_
        ``(k,)``, see `Clustering`.
    tried_, silhouettes_, stabilities_
        Numbers of clusters that were tried, and what was found, ``(t,)`` each.
    """

    def __init__(
        self, *, most: int = 6, bootstraps: int = 10, stable: float = 0.6, pseudo_count: float = 1.0, seed: int = 0
    ) -> None:
        self.most = most
        self.bootstraps = bootstraps
        self.stable = stable
        self.pseudo_count = pseudo_count
        self.seed = seed

    def fit(self, X: npt.ArrayLike, y: npt.ArrayLike) -> Self:  # noqa: N803 - scikit-learn's name
        """Find clusters in ``(n, columns)`` without a look at the classes ``(n,)``, then count these in each."""
        rows, given = validate_data(self, X, y, dtype=np.float64)
        self.classes_, labels = np.unique(given, return_inverse=True)
        # Two threads add up in another order than one, and their centres differ.
        with threadpool_limits(limits=1):
            found = try_all(rows, most=self.most, bootstraps=self.bootstraps, seed=self.seed)
        best = choose(found, stable=self.stable)
        self.centres_, self.jaccard_ = best.centres, best.jaccard
        self.counts_ = np.zeros((len(best.centres), len(self.classes_)), dtype=np.int64)
        np.add.at(self.counts_, (best.members, labels), 1)
        self.tried_ = np.array([len(one.centres) for one in found], dtype=np.int64)
        self.silhouettes_ = np.array([one.silhouette for one in found])
        self.stabilities_ = np.array([one.stability for one in found])
        return self

    def predict_proba(self, X: npt.ArrayLike) -> Floats:  # noqa: N803
        """Share of each class in the nearest cluster, with Laplace's correction, ``(n, classes)``."""
        check_is_fitted(self)
        rows = validate_data(self, X, dtype=np.float64, reset=False)
        counts = self.counts_ + self.pseudo_count
        shares = counts / counts.sum(axis=1, keepdims=True)
        return np.asarray(shares[nearest(rows, self.centres_)])

    def predict(self, X: npt.ArrayLike) -> npt.NDArray[Any]:  # noqa: N803
        """The most frequent class of the nearest cluster, ``(n,)``."""
        return np.asarray(self.classes_[self.predict_proba(X).argmax(axis=1)])


def try_all(rows: Floats, *, most: int, bootstraps: int, seed: int) -> list[Clustering]:
    """Clusterings into 2, 3, … ``most`` clusters; into one where there are fewer than three different rows."""
    most = min(most, len(np.unique(rows, axis=0)) - 1)
    if most < 2:
        members = np.zeros(len(rows), dtype=np.int64)
        return [Clustering(rows.mean(axis=0, keepdims=True), members, 0.0, 1.0, np.ones(1))]
    return [_tried(rows, k, bootstraps, seed) for k in range(2, most + 1)]


def choose(found: list[Clustering], *, stable: float) -> Clustering:
    """Of those that are stable the one of the best silhouette; the most stable one where none is."""
    kept = [one for one in found if one.stability >= stable]
    if kept:
        return max(kept, key=lambda one: one.silhouette)
    return max(found, key=lambda one: one.stability)


def nearest(rows: Floats, centres: Floats) -> Members:
    """The nearest centre of each row; of equally near ones the first. The same for a row alone as among others."""
    distances = np.stack([((rows - centre) ** 2).sum(axis=1) for centre in centres], axis=1)
    return np.asarray(distances.argmin(axis=1), dtype=np.int64)


def _tried(rows: Floats, k: int, bootstraps: int, seed: int) -> Clustering:
    rng = np.random.default_rng([seed, k])
    centres = _centres(rows, k, starts=10, seed=int(rng.integers(SEEDS)))
    sizes = np.bincount(nearest(rows, centres), minlength=k)
    centres = centres[np.argsort(-sizes, kind="stable")]
    members = nearest(rows, centres)
    compared = min(len(rows), MOST_COMPARED)
    silhouette = silhouette_score(rows, members, sample_size=compared, random_state=int(rng.integers(SEEDS)))
    agreement, overlap = [], []
    for _ in range(bootstraps):
        drawn = rows[rng.integers(len(rows), size=len(rows))]
        if len(np.unique(drawn, axis=0)) < k:
            continue
        others = nearest(rows, _centres(drawn, k, starts=3, seed=int(rng.integers(SEEDS))))
        agreement.append(adjusted_rand_score(members, others))
        overlap.append(jaccard(members, others, k))
    if not agreement:
        return Clustering(centres, members, float(silhouette), 0.0, np.zeros(k))
    return Clustering(
        centres, members, float(silhouette), float(np.mean(agreement)), np.asarray(np.mean(overlap, axis=0))
    )


def jaccard(members: Members, others: Members, k: int) -> Floats:
    """For each of ``k`` clusters, intersection over union with the most similar of other clusters of the same rows."""
    shared = np.zeros((k, k))
    np.add.at(shared, (members, others), 1)
    union = shared.sum(axis=1, keepdims=True) + shared.sum(axis=0, keepdims=True) - shared
    return np.asarray((shared / np.maximum(union, 1)).max(axis=1))


def _centres(rows: Floats, k: int, *, starts: int, seed: int) -> Floats:
    return np.asarray(KMeans(n_clusters=k, n_init=starts, random_state=seed).fit(rows).cluster_centers_)
