"""Counts of the digits of numbers that begin with given digits: the inner loop of exact quantiles."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

DIGIT_BITS = 16


@njit(cache=True, nogil=True)
def count_digits(
    keys: npt.NDArray[Any], prefixes: npt.NDArray[np.uint64], low_bits: int, counts: npt.NDArray[np.int64]
) -> None:
    """Add to ``counts[i, digit]`` how many keys have ``prefixes[i]`` and then this digit.

    Parameters
    ----------
    keys
        Unsigned integers.
    prefixes
        Ascending; what lies above the digit. A single one of 0 is that of the highest digit.
    low_bits
        Bits below the digit.
    """
    mask = np.uint64((1 << DIGIT_BITS) - 1)
    for key in keys:
        high = np.uint64(key) >> np.uint64(low_bits)
        i = _place(prefixes, high >> np.uint64(DIGIT_BITS))
        if i >= 0:
            counts[i, high & mask] += 1


@njit(cache=True, nogil=True)
def _place(ascending: npt.NDArray[np.uint64], wanted: np.uint64) -> int:
    """Where a number lies in a list, or -1."""
    low, high = 0, len(ascending) - 1
    while low < high:
        middle = (low + high) // 2
        if ascending[middle] < wanted:
            low = middle + 1
        else:
            high = middle
    return low if ascending[low] == wanted else -1
