"""How far repeated measurements of the same things agree: the intraclass correlation.

References
----------
Shrout and Fleiss 1979, doi:10.1037/0033-2909.86.2.420; McGraw and Wong 1996, doi:10.1037/1082-989X.1.1.30
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

NAN = float("nan")


class Agreement(NamedTuple):
    """An intraclass correlation with its interval, and the number of things measured; NaN where it is not defined."""

    icc: float
    low: float
    high: float
    n: int


def intraclass_correlation(values: npt.ArrayLike, *, level: float = 0.95) -> Agreement:
    """ICC(A,1): absolute agreement of single measurements, two-way (Shrout and Fleiss' ICC(2,1)).

    Parameters
    ----------
    values
        ``(n, k)``: n things, each measured in the same k ways. Rows with a NaN are left out.
    level
        Of the confidence interval.

    Returns
    -------
    Agreement
        Not defined for fewer than 3 things, fewer than 2 ways, or things that do not differ at all.
    """
    from scipy.stats import f

    x = np.asarray(values, dtype=np.float64)
    x = x[np.isfinite(x).all(axis=1)]
    n, k = x.shape
    if n < 3 or k < 2 or np.ptp(x) == 0:
        return Agreement(NAN, NAN, NAN, n)
    # Scale does not matter, and squares of large intensities overflow nothing this way.
    x = (x - x.mean()) / np.abs(x - x.mean()).max()
    rows, columns = x.mean(axis=1), x.mean(axis=0)
    between = k * float((rows**2).sum()) / (n - 1)
    ways = n * float((columns**2).sum()) / (k - 1)
    left = float(((x - rows[:, None] - columns) ** 2).sum()) / ((n - 1) * (k - 1))
    whole = between + (k - 1) * left + k * (ways - left) / n
    if max(between, left) <= 1e-12 * max(whole, ways):  # things that do not differ
        return Agreement(NAN, NAN, NAN, n)
    icc = (between - left) / whole
    if icc > 1 - 1e-12:  # all agree but for rounding
        return Agreement(1.0, 1.0, 1.0, n)
    a, b = k * icc / (n * (1 - icc)), 1 + k * icc * (n - 1) / (n * (1 - icc))
    freedom = (a * ways + b * left) ** 2 / ((a * ways) ** 2 / (k - 1) + (b * left) ** 2 / ((n - 1) * (k - 1)))
    share = 1 - (1 - level) / 2
    upper, lower = float(f.ppf(share, n - 1, freedom)), float(f.ppf(share, freedom, n - 1))
    spread = k * ways + (k * n - k - n) * left
    low = n * (between - upper * left) / (upper * spread + n * between)
    high = n * (lower * between - left) / (spread + n * lower * between)
    return Agreement(icc, low, high, n)
