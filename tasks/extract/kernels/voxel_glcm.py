"""The co-occurrence features of every voxel's neighbourhood, without matrices.

A neighbourhood of 3×3×3 voxels has 8 to 18 pairs along a direction. What is a mean is taken over the pairs themselves.
For the entropies, equal pairs are counted in small tables, which are cleared pair by pair while their counts are read:
nothing has the size of levels × levels. For that, levels have *ranks*: numbers from 0 of those in sight.

Everything is as of the symmetric matrix: a pair of the levels a and b stands for (a, b) and (b, a).
"""

from __future__ import annotations

import numpy as np
from numba import njit

from tasks.imaging.step import Array

FEATURES = 25
INVERSE = 5


@njit(cache=True, nogil=True)
def glcm_of_voxels(
    levels: Array,
    corners: Array,
    side: int,
    pairs: Array,
    ends: Array,
    inverse: Array,
    out: Array,
    start: int,
    stop: int,
) -> None:
    """Features of the voxels ``start … stop``: means over the directions that have a pair, NaN where none has.

    Parameters
    ----------
    levels
        ``int32``, ``(z, y, x)``; 0 where nothing counts.
    corners
        ``int64``, ``(voxels, 3)``: the first corner of each neighbourhood, a cube of ``side`` voxels inside ``levels``.
    pairs, ends
        ``int64``: the two places of each pair in the raveled cube, ``(pairs, 2)``, direction by direction; those of
        direction d go from ``ends[d]`` to ``ends[d + 1]``.
    inverse
        ``float64``, ``(levels, INVERSE)``: the weights of each difference of levels in features 13 to 17.
    out
        ``float32``, ``(voxels, FEATURES)``, in the order of the standard's chapter.
    """
    near = np.empty(side**3, dtype=np.int64)
    ranks = np.empty(side**3, dtype=np.int64)
    rank_of = np.full(len(inverse) + 1, -1, dtype=np.int64)
    seen = np.empty((len(pairs), 2), dtype=np.int64)
    seen_ranks = np.empty((len(pairs), 2), dtype=np.int64)
    of_pairs = np.zeros((side**3, side**3), dtype=np.int32)
    of_levels = np.zeros(side**3, dtype=np.int32)
    of_sums = np.zeros(2 * len(inverse) + 1, dtype=np.int32)
    of_differences = np.zeros(len(inverse), dtype=np.int32)
    c_log_c = _c_log_c(2 * len(pairs))
    total = np.empty(FEATURES)
    for voxel in range(start, stop):
        _look_around(levels, corners[voxel], side, near)
        _rank(near, rank_of, ranks)
        total[:] = 0.0
        directions = 0
        for direction in range(len(ends) - 1):
            n = 0
            for pair in range(ends[direction], ends[direction + 1]):
                one, other = pairs[pair, 0], pairs[pair, 1]
                if near[one] > 0 and near[other] > 0:
                    seen[n, 0], seen[n, 1] = near[one], near[other]
                    seen_ranks[n, 0], seen_ranks[n, 1] = ranks[one], ranks[other]
                    n += 1
            if n > 0:
                directions += 1
                _add_means(seen[:n], inverse, total)
                _add_counted(seen[:n], seen_ranks[:n], of_pairs, of_levels, of_sums, of_differences, c_log_c, total)
        for feature in range(FEATURES):
            out[voxel, feature] = total[feature] / directions if directions > 0 else np.nan


@njit(cache=True, nogil=True)
def _c_log_c(most: int) -> Array:
    """``c log2 c`` of the counts 0 to ``most``."""
    table = np.zeros(most + 1)
    for count in range(1, most + 1):
        table[count] = count * np.log2(count)
    return table


@njit(cache=True, nogil=True)
def _look_around(levels: Array, corner: Array, side: int, near: Array) -> None:
    z, y, x = corner[0], corner[1], corner[2]
    place = 0
    for dz in range(side):
        for dy in range(side):
            for dx in range(side):
                near[place] = levels[z + dz, y + dy, x + dx]
                place += 1


@njit(cache=True, nogil=True)
def _rank(near: Array, rank_of: Array, ranks: Array) -> None:
    """Number the levels in sight as they come; ``rank_of`` is left as it was found, -1 everywhere."""
    found = 0
    for place in range(len(near)):
        if rank_of[near[place]] < 0:
            rank_of[near[place]] = found
            found += 1
        ranks[place] = rank_of[near[place]]
    for place in range(len(near)):
        rank_of[near[place]] = -1


@njit(cache=True, nogil=True)
def _add_means(pairs: Array, inverse: Array, total: Array) -> None:
    """What is a mean over pairs: moments of the levels, of their sums and of their differences."""
    n = len(pairs)
    sums, differences, squares, products = 0, 0, 0, 0
    weights = np.zeros(INVERSE)
    for pair in range(n):
        a, b = pairs[pair, 0], pairs[pair, 1]
        sums += a + b
        differences += abs(a - b)
        squares += a * a + b * b
        products += a * b
        for kind in range(INVERSE):
            weights[kind] += inverse[abs(a - b), kind]
    mean_sum, mean_difference, contrast = sums / n, differences / n, (squares - 2 * products) / n
    second, third, fourth = 0.0, 0.0, 0.0
    for pair in range(n):
        off = pairs[pair, 0] + pairs[pair, 1] - mean_sum
        second += off * off / n
        third += off * off * off / n
        fourth += off * off * off * off / n
    # Numerators of whole numbers: exactly 0 where all levels are equal.
    variance = (2 * n * squares - sums * sums) / (4.0 * n * n)
    covariance = (4 * n * products - sums * sums) / (4.0 * n * n)
    total[1] += mean_sum / 2
    total[2] += variance
    total[4] += mean_difference
    total[5] += contrast - mean_difference * mean_difference
    total[7] += mean_sum
    total[8] += second
    total[11] += contrast
    total[12] += mean_difference
    for kind in range(INVERSE):
        total[13 + kind] += weights[kind] / n
    total[18] += covariance / variance if variance > 0 else 1.0
    total[19] += products / n
    total[20] += second
    total[21] += third
    total[22] += fourth


@njit(cache=True, nogil=True)
def _add_counted(
    pairs: Array,
    ranks: Array,
    of_pairs: Array,
    of_levels: Array,
    of_sums: Array,
    of_differences: Array,
    c_log_c: Array,
    total: Array,
) -> None:
    """What needs to know which pairs are equal; the tables of counts are left as they were found, 0 everywhere."""
    n = len(pairs)
    alike = 0
    for pair in range(n):
        a, b = pairs[pair, 0], pairs[pair, 1]
        one, other = ranks[pair, 0], ranks[pair, 1]
        alike += a == b
        of_pairs[min(one, other), max(one, other)] += 1
        of_levels[one] += 1
        of_levels[other] += 1
        of_sums[a + b] += 1
        of_differences[abs(a - b)] += 1
    largest, squares, pair_terms, level_terms, sum_terms, difference_terms = 0, 0, 0.0, 0.0, 0.0, 0.0
    for pair in range(n):
        a, b = pairs[pair, 0], pairs[pair, 1]
        one, other = ranks[pair, 0], ranks[pair, 1]
        count = of_pairs[min(one, other), max(one, other)]
        twice = 2 if a == b else 1
        largest = max(largest, twice * count)
        squares += twice * count * count
        pair_terms += c_log_c[count]
        level_terms += c_log_c[of_levels[one]]
        of_levels[one] = 0
        level_terms += c_log_c[of_levels[other]]
        sum_terms += c_log_c[of_sums[a + b]]
        difference_terms += c_log_c[of_differences[abs(a - b)]]
        of_pairs[min(one, other), max(one, other)] = 0
        of_levels[other] = 0
        of_sums[a + b] = 0
        of_differences[abs(a - b)] = 0
    total[0] += largest / (2 * n)
    total[10] += squares / (2.0 * n * n)
    if largest == 2 * n:
        return  # One level: no disorder, and rounding must not make some.
    of_both = np.log2(2 * n) - (pair_terms + alike) / n
    of_one = np.log2(2 * n) - level_terms / (2 * n)
    shared = max(2 * of_one - of_both, 0.0)
    total[3] += of_both
    total[6] += np.log2(n) - difference_terms / n
    total[9] += np.log2(n) - sum_terms / n
    total[23] -= shared / of_one
    total[24] += np.sqrt(1 - np.exp(-2 * shared))
