"""All columns that a forest finds more useful than chance: Boruta (Kursa & Rudnicki 2010, doi:10.18637/jss.v036.i11).

Each round a forest is grown on the columns and on *shadows* of them: the same values in shuffled order, which can be
useful by chance alone. A column has a *hit* when its importance is above that of every shadow. After the rounds a
binomial test tells columns with more hits than a coin would bring (kept) from the others; columns with clearly fewer
are dropped on the way. The tests are corrected for the number of columns (Bonferroni).

Differs from the article: columns that are still undecided in the end are dropped, so that the error bound holds.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from tasks.classical.selector import BoolArray, Choice, FloatArray, IntArray, Selector


class Settings(Selector):
    """How many rounds, of how large forests, and how sure one wants to be."""

    measure: ClassVar[str] = "rounds above every shadow"

    name: Literal["all_relevant"] = "all_relevant"
    rounds: int = Field(default=20, ge=5, le=200)
    trees: int = Field(default=60, ge=10)
    depth: int = Field(default=5, ge=1, description="Of each tree at most.")
    error: float = Field(default=0.05, gt=0, lt=1, description="Chance that any useless column is kept.")

    def choose(self, features: FloatArray, labels: IntArray, *, seed: int) -> Choice:
        """Score the share of rounds in which a column was above every shadow."""
        from scipy.stats import binom

        rng = np.random.default_rng(seed)
        level = self.error / features.shape[1]
        hits = np.zeros(features.shape[1], dtype=np.int64)
        alive = np.ones(len(hits), dtype=bool)
        for done in range(1, self.rounds + 1):
            hits[alive] += self._round(features[:, alive], labels, rng)
            alive &= binom.cdf(hits, done, 0.5) > level
            if not alive.any():
                break
        return Choice(alive & (binom.sf(hits - 1, self.rounds, 0.5) <= level), hits / self.rounds)

    def _round(self, features: FloatArray, labels: IntArray, rng: np.random.Generator) -> BoolArray:
        """Which columns are more important than the most important shadow."""
        from sklearn.ensemble import RandomForestClassifier

        # At least five shadows, however few columns are left, or the best of them says nothing.
        columns = features.shape[1]
        shadows = rng.permuted(features[:, np.arange(max(columns, 5)) % columns], axis=0)
        forest = RandomForestClassifier(
            n_estimators=self.trees,
            max_depth=self.depth,
            class_weight="balanced",
            n_jobs=1,
            random_state=int(rng.integers(2**31)),
        )
        importance = forest.fit(np.hstack([features, shadows]), labels).feature_importances_
        return np.asarray(importance[:columns] > importance[columns:].max())
