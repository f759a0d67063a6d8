"""Columns that are chosen again and again from other halves of the rows: stability selection.

The rows are cut into two halves at random, over and over; in each half the lasso takes up its first columns. Kept is
what a large part of the halves agrees on. With threshold π, ``q`` columns a half and ``p`` columns in all, at most
``q² / ((2π − 1) p)`` useless columns are expected among the kept (Meinshausen & Bühlmann 2010,
doi:10.1111/j.1467-9868.2010.00740.x; both halves of each cut are used, after Shah & Samworth 2013,
doi:10.1111/j.1467-9868.2011.01034.x). The bound takes rows for independent; rows of one patient are not, so it is too
good to be true by as much as they are alike.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from tasks.classical.selector import Choice, FloatArray, IntArray, Selector, best


class Settings(Selector):
    """How many halves, how many columns each may choose, and how many have to agree."""

    measure: ClassVar[str] = "selection frequency"

    name: Literal["stability"] = "stability"
    pairs: int = Field(default=20, ge=5, description="Cuts of the rows into two halves.")
    features: int = Field(default=40, ge=1, description="Columns that each half takes up.")
    threshold: float = Field(default=0.6, gt=0.5, le=1, description="Part of the halves that has to agree.")
    absolute_part: float = Field(default=1.0, gt=0, le=1, description="1 is the lasso, less an elastic net.")

    def choose(self, features: FloatArray, labels: IntArray, *, seed: int) -> Choice:
        """Score the part of the halves that chose a column."""
        from tasks.selection.lasso import entering_penalties

        rng = np.random.default_rng(seed)
        chosen = np.zeros(features.shape[1])
        halves = [half for _ in range(self.pairs) for half in cut_in_halves(labels, rng)]
        for half in halves:
            penalties = entering_penalties(
                features[half], labels[half], count=self.features, absolute_part=self.absolute_part
            )
            chosen += best(penalties, self.features) & (penalties > 0)
        frequency = chosen / len(halves)
        return Choice(frequency >= self.threshold, frequency)


def cut_in_halves(labels: IntArray, rng: np.random.Generator) -> tuple[IntArray, IntArray]:
    """Positions of two halves with as many rows of each class, give or take one; a class of one row is in both."""
    halves: tuple[list[IntArray], list[IntArray]] = ([], [])
    for label in np.unique(labels):
        mine = rng.permutation(np.flatnonzero(labels == label))
        middle = (len(mine) + int(rng.integers(2))) // 2
        parts = (mine, mine) if len(mine) == 1 else (mine[:middle], mine[middle:])
        for half, part in zip(halves, parts, strict=True):
            half.append(part)
    return np.sort(np.concatenate(halves[0])), np.sort(np.concatenate(halves[1]))
