"""Intervals and paired tests in which the patient is the unit.

- *level*: the share of repetitions in which an interval covers the truth, 0.95 unless told; always two-sided.
- *draw*: one resampling of the patients with replacement. It is held as *weights*, how often each patient was drawn, so
  that 2000 draws of a statistic are one matrix product.
- *degenerate*: a bootstrap whose interval has no width, e.g. because every patient was hit. Such a bootstrap knows
  nothing of what was not observed, so an exact bound takes its place, and `Interval.method` says so.

A bootstrap hands out its weights by position, so the patients are first put into an order that depends on their values
alone: neither pseudonyms nor the order in which cases were read can change an interval.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import stats

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

NO_WIDTH = 1e-12
"""Two ends closer than this are one number that was summed in another order."""


class Interval(NamedTuple):
    """Both ends, and the words that a report prints beside them."""

    low: float
    high: float
    method: str


class PairedDifference(NamedTuple):
    """Mean of first minus second over `n` patients, its interval, and a two-sided p."""

    value: float
    interval: Interval
    n: int
    p: float


def clopper_pearson(successes: int, n: int, *, level: float = 0.95) -> Interval:
    """Exact interval of a proportion.

    Raises
    ------
    ValueError
        Unless ``0 <= successes <= n`` and ``n >= 1``.

    References
    ----------
    Clopper & Pearson 1934, doi:10.1093/biomet/26.4.404
    """
    if not (n >= 1 and 0 <= successes <= n):
        raise ValueError(f"expected 0 <= successes <= n and n >= 1; got {successes} of {n}")
    tail = (1.0 - level) / 2.0
    low = 0.0 if successes == 0 else float(stats.beta.ppf(tail, successes, n - successes + 1))
    high = 1.0 if successes == n else float(stats.beta.ppf(1.0 - tail, successes + 1, n - successes))
    return Interval(low, high, "Clopper-Pearson")


def poisson_rate(events: int, exposure: float, *, level: float = 0.95) -> Interval:
    """Exact interval of ``events / exposure`` for a Poisson count; with no event, the upper end is a one-sided bound.

    References
    ----------
    Garwood 1936, doi:10.1093/biomet/28.3-4.437
    """
    if events < 0 or not exposure > 0:
        raise ValueError(f"expected events >= 0 and exposure > 0; got {events} and {exposure}")
    tail = (1.0 - level) / 2.0
    low = 0.0 if events == 0 else float(stats.chi2.ppf(tail, 2 * events)) / 2.0
    high = float(stats.chi2.ppf(1.0 - tail, 2 * (events + 1))) / 2.0
    return Interval(low / exposure, high / exposure, "exact Poisson interval, as the patient bootstrap has no width")


def equal_values(value: float, n: int, *, least: float = 0.0, most: float = 1.0, level: float = 0.95) -> Interval:
    """Interval of a mean when all `n` patients have one `value`, within ``[least, most]``.

    The chance that a patient differs is at most ``u = 1 - tail ** (1 / n)``, the Clopper–Pearson bound of 0 in `n`;
    those who differ move the mean at most to the ends of the range. A value of 1 (or 0) gives Clopper–Pearson itself.
    """
    u = clopper_pearson(0, n, level=level).high
    low, high = (1.0 - u) * value + u * least, (1.0 - u) * value + u * most
    return Interval(low, high, f"exact bound for {n} alike, as the patient bootstrap has no width")


def patient_weights(patients: int, *, draws: int, seed: int) -> IntArray:
    """How often each patient is in each draw: shape ``(draws, patients)``, each row sums to `patients`."""
    share = np.full(patients, 1.0 / patients)
    return np.asarray(np.random.default_rng(seed).multinomial(patients, share, size=draws), dtype=np.int64)


def percentile_ends(draws: FloatArray, *, level: float = 0.95) -> tuple[float, float] | None:
    """Percentile interval of bootstrap values (draws,); ``None`` when degenerate.

    Draws without a value (``nan``, e.g. no patient with a lesion was drawn) are left out.
    """
    defined = draws[np.isfinite(draws)]
    if defined.size == 0:
        return None
    tail = (1.0 - level) / 2.0
    low, high = (float(q) for q in np.quantile(defined, [tail, 1.0 - tail]))
    return None if high - low <= NO_WIDTH else (low, high)


def bounded_interval(
    draws: FloatArray, *, value: float, n: int, least: float = 0.0, most: float = 1.0, level: float = 0.95
) -> Interval:
    """Percentile interval of a bootstrapped statistic within ``[least, most]``; `equal_values` when degenerate."""
    ends = percentile_ends(draws, level=level)
    if ends is None:
        return equal_values(value, n, least=least, most=most, level=level)
    return Interval(*ends, f"patient bootstrap, {draws.size} draws")


def rate_interval(draws: FloatArray, *, events: int, exposure: float, level: float = 0.95) -> Interval:
    """Percentile interval of a bootstrapped rate of events; `poisson_rate` when degenerate."""
    ends = percentile_ends(draws, level=level)
    if ends is None:
        return poisson_rate(events, exposure, level=level)
    return Interval(*ends, f"patient bootstrap, {draws.size} draws")


def by_value(*columns: npt.ArrayLike) -> FloatArray:
    """Columns (patients,) as one table (patients, columns), its rows in ascending order of their values."""
    table = np.stack([np.asarray(column, dtype=float) for column in columns], axis=1)
    return np.asarray(table[np.lexsort(table.T[::-1])])


def ratio_draws(numerators: npt.ArrayLike, denominators: npt.ArrayLike, *, draws: int, seed: int) -> FloatArray:
    """Bootstrap of ``sum(numerators) / sum(denominators)`` over patients: shape ``(draws,)``, ``nan`` where 0 / 0."""
    table = by_value(numerators, denominators)
    sums = patient_weights(len(table), draws=draws, seed=seed) @ table
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(sums[:, 0] / sums[:, 1])


def mean_draws(values: npt.ArrayLike, *, draws: int, seed: int) -> FloatArray:
    """Bootstrap of the mean over patients: shape ``(draws,)``."""
    return ratio_draws(values, np.ones(np.shape(values)), draws=draws, seed=seed)


def paired_difference(
    first: npt.ArrayLike, second: npt.ArrayLike, *, draws: int, seed: int, level: float = 0.95
) -> PairedDifference:
    """Mean of ``first - second`` over the same patients, both within 0–1, with a patient bootstrap.

    Parameters
    ----------
    first, second
        One value per patient, shape ``(patients,)``, in the same order.

    Returns
    -------
    PairedDifference
        `p` is twice the smaller share of draws on either side of 0, with one added to both counts so that it is never 0
        (Davison & Hinkley 1997, doi:10.1017/CBO9780511802843, section 4.2).
    """
    a, b = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    if a.shape != b.shape or a.ndim != 1 or a.size == 0:
        raise ValueError(f"expected two lists of one length, at least 1; got shapes {a.shape} and {b.shape}")
    difference = np.sort(a - b)
    means = mean_draws(difference, draws=draws, seed=seed)
    smaller = min(int(np.count_nonzero(means <= NO_WIDTH)), int(np.count_nonzero(means >= -NO_WIDTH)))
    value = float(difference.mean())
    interval = bounded_interval(means, value=value, n=a.size, least=-1.0, most=1.0, level=level)
    return PairedDifference(value, interval, a.size, min(1.0, 2.0 * (smaller + 1) / (draws + 1)))


def mcnemar_exact(first_only: int, second_only: int) -> float:
    """Two-sided exact p of McNemar's test from the two discordant counts; 1 when nothing is discordant.

    References
    ----------
    McNemar 1947, doi:10.1007/BF02295996
    """
    discordant = first_only + second_only
    if discordant == 0:
        return 1.0
    return float(stats.binomtest(first_only, discordant, 0.5).pvalue)
