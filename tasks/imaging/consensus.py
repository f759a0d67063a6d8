"""One finding from many nested candidates: what they agree on.

Thresholds and scales give the same lesion many times, each time a little larger. A model scores each of them with
noise, so the best single score often picks one that is too small or too large. A *cluster* is the best-scored candidate
with all that share a voxel with it; its *representative* is the member with the largest expected overlap with the
others, ``sum_j score_j * Dice(i, j)``: the choice of least expected loss, were member j the lesion with a probability
proportional to its score.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tasks.imaging.morphology import BoolArray, Box


class Consensus(NamedTuple):
    """One cluster.

    Attributes
    ----------
    index
        The representative, whose mask is the finding's.
    score
        The best score of the cluster.
    members
        All candidates of the cluster, ascending, the representative among them.
    """

    index: int  # type: ignore[assignment]  # hides tuple.index, which nobody needs of a cluster
    score: float
    members: tuple[int, ...]


def dice_matrix(masks: Sequence[tuple[Box, BoolArray]]) -> npt.NDArray[np.float32]:
    """Dice coefficient of every two candidates: ``(n, n)``, symmetric, above 0 where they share a voxel.

    Parameters
    ----------
    masks
        For each candidate its smallest box in the image and the mask in it.
    """
    n = len(masks)
    starts = np.array([[side.start for side in box] for box, _ in masks]).reshape(n, 3)
    stops = np.array([[side.stop for side in box] for box, _ in masks]).reshape(n, 3)
    sizes = [int(mask.sum()) for _, mask in masks]
    dice = np.eye(n, dtype=np.float32)
    for i in range(n):
        meets = ((starts[i + 1 :] < stops[i]) & (stops[i + 1 :] > starts[i])).all(axis=1)
        for j in i + 1 + np.flatnonzero(meets):
            low, high = np.maximum(starts[i], starts[j]), np.minimum(stops[i], stops[j])
            one, other = (masks[k][1][tuple(map(slice, low - starts[k], high - starts[k]))] for k in (i, int(j)))
            dice[i, j] = dice[j, i] = 2.0 * int((one & other).sum()) / (sizes[i] + sizes[j])
    return dice


def consensus(
    scores: npt.NDArray[np.floating[Any]], dice: npt.NDArray[np.floating[Any]], *, most: int | None = None
) -> list[Consensus]:
    """Clusters and their representatives, best score first.

    Parameters
    ----------
    scores
        ``(n,)``, not negative, e.g. probabilities of being a lesion. Ties go to the lower index.
    dice
        ``(n, n)`` from `dice_matrix`.
    most
        Give at most so many; ``None``: all, so that each candidate is in exactly one cluster.
    """
    scores = np.asarray(scores, dtype=np.float64)
    if dice.shape != (len(scores), len(scores)):
        raise ValueError(f"expected a Dice matrix of shape {(len(scores),) * 2}; got {dice.shape}")
    if (scores < 0).any() or not np.isfinite(scores).all():
        raise ValueError("expected finite scores of at least 0")
    free = np.ones(len(scores), dtype=bool)
    found: list[Consensus] = []
    for best in np.argsort(-scores, kind="stable"):
        if not free[best]:
            continue
        if most is not None and len(found) == most:
            break
        members = np.flatnonzero(free & (dice[best] > 0))
        expected = np.asarray(dice, dtype=np.float64)[np.ix_(members, members)] @ scores[members]
        chosen = int(members[int(np.argmax(expected))])
        found.append(Consensus(chosen, float(scores[best]), tuple(int(m) for m in members)))
        # What meets the representative outside the cluster goes too: findings do not overlap.
        free &= (dice[best] == 0) & (dice[chosen] == 0)
    return found
