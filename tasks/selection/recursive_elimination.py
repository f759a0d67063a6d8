"""Fit, drop the columns of least weight, fit again: recursive elimination (Guyon 2002, doi:10.1023/A:1012487302797).

The article's machine is linear, and so is this one: least squares with a quadratic penalty, which has a closed form. In
each round a part of the columns goes, so that a thousand columns take dozens of fits.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from tasks.classical.selector import Choice, FloatArray, IntArray, Selector


class Settings(Selector):
    """How many columns are left in the end, and how fast the others go."""

    measure: ClassVar[str] = "weight in the last round"

    name: Literal["recursive_elimination"] = "recursive_elimination"
    features: int = Field(default=40, ge=1, description="Columns left in the end; all when there are fewer.")
    drop: float = Field(default=0.1, gt=0, lt=1, description="Part of the columns of a round that goes, one at least.")
    penalty: float = Field(default=1.0, gt=0, description="Quadratic, as a multiple of the number of rows.")

    def choose(self, features: FloatArray, labels: IntArray, *, seed: int) -> Choice:
        """Score the weight in the last round that a column took part in, less 1 for each round that came after."""
        del seed
        left = np.arange(features.shape[1])
        scores = np.full(len(left), np.nan)
        while True:
            size = _weights(features[:, left], labels, self.penalty)
            scores[left] = size / max(float(size.max()), 1e-300)
            if (excess := len(left) - self.features) <= 0:
                break
            goes = np.argsort(size, kind="stable")[: min(excess, max(1, int(self.drop * len(left))))]
            stays = np.delete(left, goes)
            scores[np.setdiff1d(np.arange(len(scores)), stays)] -= 1.0
            left = stays
        kept = np.zeros(len(scores), dtype=bool)
        kept[left] = True
        return Choice(kept, scores)


def _weights(features: FloatArray, labels: IntArray, penalty: float) -> FloatArray:
    """Length of each column's weights over the classes, ``(columns,)``; classes weigh the same."""
    from sklearn.linear_model import RidgeClassifier

    machine = RidgeClassifier(alpha=penalty * len(features), class_weight="balanced", solver="cholesky")
    return np.asarray(np.linalg.norm(np.atleast_2d(machine.fit(features, labels).coef_), axis=0))
