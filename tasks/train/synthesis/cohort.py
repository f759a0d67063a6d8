"""Labelled images in folds: what a generator learns from, and what is lacking of the rare class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]
Images = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Cohort:
    """Labelled images in an order that their content determines.

    ``images``: ``(n, channels, [z,] y, x)``; ``labels``, ``groups`` and ``folds``: ``(n,)``. A group lies in one fold.
    """

    images: Images
    labels: IntArray
    groups: npt.NDArray[Any]
    folds: IntArray
    classes: int

    def __post_init__(self) -> None:
        sizes = {len(self.images), len(self.labels), len(self.groups), len(self.folds)}
        if len(sizes) != 1:
            raise ValueError(f"expected a label, a group and a fold for each image; got {sorted(sizes)}")
        torn = [group for group in np.unique(self.groups) if np.ptp(self.folds[self.groups == group])]
        if torn:
            raise ValueError(f"{len(torn)} groups lie in several folds")

    def part(self, rows: IntArray) -> Cohort:
        """These rows alone."""
        return Cohort(self.images[rows], self.labels[rows], self.groups[rows], self.folds[rows], self.classes)


def images_wanted(labels: IntArray, rare: int) -> int:
    """How many images of a class make it as frequent as the next more frequent one; at least 2, to be judged."""
    counts = np.bincount(labels, minlength=rare + 1)
    more = counts[counts > counts[rare]]
    return max(2, int(more.min() - counts[rare]) if more.size else 0)
