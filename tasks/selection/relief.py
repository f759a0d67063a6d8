"""What tells near rows of different classes apart: ReliefF.

For a row, its nearest rows of the same class (*hits*) and of each other class (*misses*) are looked up. A column gains
where it differs from the misses, and loses where it differs from the hits. As distances are over all columns, columns
count that tell only together with others (Kononenko 1994, doi:10.1007/3-540-57868-4_57; Robnik-Šikonja & Kononenko
2003, doi:10.1023/A:1025667309714).
"""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from tasks.classical.selector import Choice, FloatArray, IntArray, Selector, best


class Settings(Selector):
    """How many columns stay, how many neighbours are asked, and for how many rows."""

    measure: ClassVar[str] = "ReliefF weight"

    name: Literal["relief"] = "relief"
    features: int = Field(default=40, ge=1, description="Columns kept; all when there are fewer.")
    neighbours: int = Field(default=10, ge=1, description="Of each class.")
    rows: int = Field(default=500, ge=1, description="Rows that ask, drawn evenly from all classes; all when fewer.")

    def choose(self, features: FloatArray, labels: IntArray, *, seed: int) -> Choice:
        """Score the weights, −1 … 1."""
        asking = draw_evenly(labels, self.rows, np.random.default_rng(seed))
        scores = relief_weights(features, labels, asking, self.neighbours)
        return Choice(best(scores, self.features), scores)


def draw_evenly(labels: IntArray, count: int, rng: np.random.Generator) -> IntArray:
    """Positions of at most ``count`` rows, as many of each class as there are, the rarest class first served."""
    shuffled = rng.permutation(len(labels))
    place = np.empty(len(labels), dtype=np.int64)
    for label in np.unique(labels):
        mine = shuffled[labels[shuffled] == label]
        place[mine] = np.arange(len(mine))
    return np.sort(shuffled[np.argsort(place[shuffled], kind="stable")[:count]])


def relief_weights(features: FloatArray, labels: IntArray, asking: IntArray, neighbours: int) -> FloatArray:
    """Weight of each column, the mean over the rows that ask; classes of other rows count by how frequent they are."""
    from scipy.spatial.distance import cdist

    width = np.ptp(features, axis=0)
    values = features / np.where(width > 0, width, 1.0)
    distance = cdist(values[asking], values, metric="cityblock")
    distance[np.arange(len(asking)), asking] = np.inf  # nobody is his own neighbour
    frequency = np.bincount(labels) / len(labels)
    weights = np.zeros(features.shape[1])
    for label in np.flatnonzero(frequency):
        members = np.flatnonzero(labels == label)
        for row, gaps in zip(asking, distance[:, members], strict=True):
            nearest = members[np.argsort(gaps, kind="stable")[:neighbours]]
            nearest = nearest[nearest != row]
            if len(nearest) == 0:  # the only row of its class has no hits
                continue
            same = labels[row] == label
            factor = -1.0 if same else frequency[label] / (1.0 - frequency[labels[row]])
            weights += factor * np.abs(values[nearest] - values[row]).mean(axis=0)
    return np.asarray(weights / len(asking))
