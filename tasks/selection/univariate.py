"""Each column by itself: how far the classes lie apart in it, and whether that may be chance.

The *F* of an analysis of variance compares means; Mann and Whitney's *U* compares ranks, so that outliers and skewed
columns do no harm (1947, doi:10.1214/aoms/1177730491). Of more than two classes, and of two alike, its statistic is
Kruskal and Wallis's *H* (1952, doi:10.1080/01621459.1952.10483441), which for two classes is the square of U's z-score.

Either a fixed number of columns is kept, or those that stay at a *false discovery rate* (Benjamini & Hochberg 1995,
doi:10.1111/j.2517-6161.1995.tb02031.x): of those kept, at most this part is expected to be there by chance.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from tasks.classical.selector import Choice, FloatArray, IntArray, Selector, best


class Settings(Selector):
    """Which test, and how many columns stay."""

    measure: ClassVar[str] = "test statistic"

    name: Literal["univariate"] = "univariate"
    test: Literal["f", "mann_whitney"] = "f"
    keep: Literal["best", "fdr"] = Field(
        default="best", description="A number of columns, or those that are no chance."
    )
    features: int = Field(default=40, ge=1, description="Columns kept by 'best'; all when there are fewer.")
    rate: float = Field(default=0.05, gt=0, lt=1, description="False discovery rate of 'fdr'.")

    def choose(self, features: FloatArray, labels: IntArray, *, seed: int) -> Choice:
        """Score F or H."""
        from scipy.stats import false_discovery_control

        del seed
        scores, p = f_test(features, labels) if self.test == "f" else rank_test(features, labels)
        if self.keep == "best":
            return Choice(best(scores, self.features), scores)
        return Choice(false_discovery_control(np.nan_to_num(p, nan=1.0)) <= self.rate, scores)


def f_test(features: FloatArray, labels: IntArray) -> tuple[FloatArray, FloatArray]:
    """F and p of each column, ``(columns,)`` each; NaN where a column never varies."""
    from sklearn.feature_selection import f_classif

    varies = np.ptp(features, axis=0) > 0
    scores, p = np.full((2, features.shape[1]), np.nan)
    if varies.any():
        scores[varies], p[varies] = f_classif(features[:, varies], labels)
    return scores, p


def rank_test(features: FloatArray, labels: IntArray) -> tuple[FloatArray, FloatArray]:
    """Kruskal and Wallis's H, corrected for ties, and its p by the chi-squared law; NaN where a column never varies."""
    from scipy.stats import chi2, rankdata

    rows, classes = len(features), int(labels.max()) + 1
    ranks = rankdata(features, axis=0)
    members = np.eye(classes)[labels]
    sums, counts = members.T @ ranks, members.sum(axis=0)
    between = (sums**2 / counts[:, None]).sum(axis=0) - rows * (rows + 1) ** 2 / 4
    # The variance of the ranks themselves is what the correction for ties comes to.
    variance = ranks.var(axis=0, ddof=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        scores = np.where(variance > 0, between / variance, np.nan)
    return scores, np.asarray(chi2.sf(scores, classes - 1))
