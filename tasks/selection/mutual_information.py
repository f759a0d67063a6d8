"""Much said about the class, little said twice: minimum redundancy, maximum relevance (mRMR).

Columns are taken one by one: next comes the one whose mutual information with the class, less its mean mutual
information with the columns already taken, is greatest (Peng et al. 2005, doi:10.1109/TPAMI.2005.159). Mutual
information is counted on columns cut into bins of equally many rows. Counts of few rows find some where there is none,
``(bins − 1)(others − 1) / 2n`` on average (Miller 1955); this much is taken off.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from tasks.classical.selector import Choice, FloatArray, IntArray, Selector


class Settings(Selector):
    """How many columns are taken, and how finely they are cut."""

    measure: ClassVar[str] = "relevance less redundancy (nats)"

    name: Literal["mutual_information"] = "mutual_information"
    features: int = Field(default=40, ge=1, description="Columns taken; all when there are fewer.")
    bins: int = Field(default=6, ge=2, le=64)

    def choose(self, features: FloatArray, labels: IntArray, *, seed: int) -> Choice:
        """Score relevance less redundancy: of taken columns when they were taken, of the others in the end."""
        del seed
        shares = bin_members(features, self.bins)
        relevance = _shared(shares, np.eye(int(labels.max()) + 1, dtype=np.float32)[labels])
        redundancy, scores = np.zeros(len(relevance)), relevance.copy()
        taken = np.zeros(len(relevance), dtype=bool)
        for count in range(min(self.features, len(relevance))):
            scores[~taken] = (relevance - redundancy / max(count, 1))[~taken]
            chosen = int(np.argmax(np.where(taken, -np.inf, scores)))
            taken[chosen] = True
            redundancy += _shared(shares, shares[:, chosen])
        return Choice(taken, scores)


def bin_members(features: FloatArray, bins: int) -> npt.NDArray[np.float32]:
    """Which rows lie in which bin of which column, 0 or 1, ``(rows, columns, bins)``; equal values share a bin."""
    from scipy.stats import rankdata

    bin_of = np.floor((rankdata(features, axis=0, method="average") - 0.5) / len(features) * bins).astype(np.int64)
    return np.eye(bins, dtype=np.float32)[bin_of]


def _shared(shares: npt.NDArray[np.float32], other: npt.NDArray[np.float32]) -> FloatArray:
    """Mutual information in nats of each column with one other, whose members are ``(rows, values)``."""
    rows, columns, bins = shares.shape
    together = (other.T @ shares.reshape(rows, -1)).astype(np.float64).reshape(-1, columns, bins) / rows
    mine, its = together.sum(axis=0), together.sum(axis=2)
    expected = its[:, :, None] * mine[None]
    logs = np.log(np.where(together > 0, together, 1.0) / np.where(together > 0, expected, 1.0))
    chance = ((mine > 0).sum(axis=1) - 1) * ((its > 0).sum(axis=0) - 1) / (2 * rows)
    return np.asarray((together * logs).sum(axis=(0, 2)) - chance)
