"""Columns that say the same: clusters of correlated columns, of which one stays.

Clusters are made by complete linkage on ``1 − |ρ|``, so that any two columns of a cluster correlate at least as much as
asked. Its *representative* is the column in which the classes lie furthest apart (the greatest F), or the one that
correlates most with all others of the cluster, which looks at no labels.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from tasks.classical.selector import Choice, FloatArray, IntArray, Selector


class Settings(Selector):
    """From which correlation on columns say the same, and which of them stays."""

    measure: ClassVar[str] = "columns it stands for"

    name: Literal["correlation"] = "correlation"
    least: float = Field(default=0.9, gt=0, le=1, description="|ρ| of any two columns of a cluster at least.")
    ranks: bool = Field(default=True, description="Spearman's ρ, which outliers hardly move; otherwise Pearson's.")
    representative: Literal["relevant", "central"] = "relevant"

    def choose(self, features: FloatArray, labels: IntArray, *, seed: int) -> Choice:
        """Score how many columns of its cluster a representative stands for, itself included; 0 for the others."""
        del seed
        correlation = np.abs(correlations(features, ranks=self.ranks))
        cluster = clusters(correlation, self.least)
        worth = _relevance(features, labels) if self.representative == "relevant" else _centrality(correlation, cluster)
        # By cluster, and in it by worth; of equal ones the first column.
        order = np.lexsort((np.arange(len(worth)), -worth, cluster))
        first = np.r_[True, np.diff(cluster[order]) > 0]
        kept = np.zeros(len(worth), dtype=bool)
        kept[order[first]] = True
        return Choice(kept, np.where(kept, np.bincount(cluster)[cluster], 0).astype(float))


def correlations(features: FloatArray, *, ranks: bool) -> FloatArray:
    """``(columns, columns)``; 0 with a column that never varies, and 1 with itself."""
    from scipy.stats import rankdata

    values = rankdata(features, axis=0) if ranks else features
    centred = values - values.mean(axis=0)
    length = np.sqrt((centred**2).sum(axis=0))
    unit = centred / np.where(length > 0, length, 1.0)
    found = np.clip(unit.T @ unit, -1.0, 1.0)
    np.fill_diagonal(found, 1.0)
    return np.asarray(found)


def clusters(correlation: FloatArray, least: float) -> IntArray:
    """Number of the cluster of each column ``(columns,)``, from ``|ρ|`` of shape ``(columns, columns)``."""
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform

    if len(correlation) == 1:
        return np.zeros(1, dtype=np.int64)
    distance = squareform(1.0 - correlation, checks=False)
    # What is equal but for rounding is equal.
    found = fcluster(linkage(distance, method="complete"), 1.0 - least + 1e-12, criterion="distance")
    return np.asarray(found, dtype=np.int64)


def _relevance(features: FloatArray, labels: IntArray) -> FloatArray:
    from tasks.selection.univariate import f_test

    return np.nan_to_num(f_test(features, labels)[0])


def _centrality(correlation: FloatArray, cluster: IntArray) -> FloatArray:
    """Sum of ``|ρ|`` with the columns of the same cluster."""
    together = cluster[:, None] == cluster[None, :]
    return np.asarray((correlation * together).sum(axis=1).round(12))
