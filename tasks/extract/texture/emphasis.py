"""The 16 features of matrices of levels against sizes: run lengths, zones, distances of zones, dependences.

The standard defines them anew for each kind of matrix; the formulas are the same (IBSI, arXiv:1612.07003, sections 3.7,
3.8, 3.9 and 3.11). Sizes and levels count from 1.
"""

from __future__ import annotations

import numpy as np

from storage.volume import FloatArray
from tasks.extract.texture.aggregation import Known
from tasks.extract.texture.counts import Counts, Index

Names = dict[str, tuple[str, str]]
"""The standard's code and tag without aggregation by the feature's name, in the order of `emphases`."""


def described(names: Names, one: str, size: str) -> Known:
    """The features' names with a description.

    Parameters
    ----------
    names
        Of all 16, or 17 with the energy.
    one, size
        What the matrix counts and by what measure of it, e.g. ``"run"`` and ``"length"``.
    """
    over = f"over all {one}s"
    texts = (
        f"Mean of 1 / {size}² {over}",
        f"Mean of {size}² {over}",
        f"Mean of 1 / level² {over}",
        f"Mean of level² {over}",
        f"Mean of 1 / ({size}² level²) {over}",
        f"Mean of level² / {size}² {over}",
        f"Mean of {size}² / level² {over}",
        f"Mean of {size}² level² {over}",
        f"Sum over levels of their squared numbers of {one}s, over all {one}s; lowest if levels have equally many",
        f"Sum of the squared shares of the levels in the {one}s",
        f"Sum over {size}s of their squared numbers of {one}s, over all {one}s; lowest if {size}s have equally many",
        f"Sum of the squared shares of the {size}s in the {one}s",
        f"Number of {one}s over the largest number possible",
        f"Variance of the level {over}",
        f"Variance of the {size} {over}",
        f"Shannon entropy of the pairs of level and {size}, in bits",
        f"Sum of the squared shares of the pairs of level and {size}",
    )
    return {name: (*known, text) for (name, known), text in zip(names.items(), texts, strict=False)}


def emphases(counts: Counts, possible: FloatArray) -> tuple[FloatArray, ...]:
    """The 16 features and the energy, in the standard's order, each of every matrix.

    Parameters
    ----------
    counts
        Of levels (rows) against sizes (columns).
    possible
        Number of voxels of each matrix, once for each direction that it merges.
    """
    total = counts.totals
    level, size = counts.row.astype(np.float64), counts.column.astype(np.float64)
    share = counts.count / total[counts.matrix]
    level_2, size_2 = level**2, size**2
    both = level_2 * size_2
    weights = (1 / size_2, size_2, 1 / level_2, level_2, 1 / both, level_2 / size_2, size_2 / level_2, both)
    by_level, by_size = _squares(counts, counts.row), _squares(counts, counts.column)
    means = counts.sums(share * np.stack((level, size)))
    return (
        *counts.sums(share * np.stack(weights)),
        by_level / total,
        by_level / total**2,
        by_size / total,
        by_size / total**2,
        total / possible,
        *counts.sums(share * (np.stack((level, size)) - means[:, counts.matrix]) ** 2),
        -counts.sums(share * np.log2(share)),
        counts.sums(share**2),
    )


def _squares(counts: Counts, places: Index) -> FloatArray:
    """Sum of the squared marginal counts of each matrix. The places are numbered anew: zones may be large and few."""
    distinct, rank = np.unique(places, return_inverse=True)
    marginal = counts.gathered(rank, counts.count, len(distinct))
    return np.asarray(np.sum(marginal**2, axis=1))
