"""ComBat's empirical Bayes: shift and scale of one feature on one scanner, drawn towards those of all features there.

Johnson, Li & Rabinovic 2007 (doi:10.1093/biostatistics/kxj037), section 3.2 for the parametric priors (normal for the
shift, inverse gamma for the squared scale) and their supplement for the others. Of a single feature no prior can be
learned: its own estimates are taken.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

CLOSE = 1e-10
"""Change of shift and scale, in units of spread, at which the iteration ends; published code ends at 1e-4."""
MOST_ROUNDS = 10_000


@dataclass(frozen=True, eq=False)
class Seen:
    """What one scanner shows of each feature, all ``(columns,)``, in units of the feature's spread.

    Attributes
    ----------
    shift
        Its mean.
    squares
        Sum of squares about the mean.
    patients
        How many show it.
    freedom
        What ``squares`` is divided by to give the variance; 0 where that says nothing.
    """

    shift: FloatArray
    squares: FloatArray
    patients: FloatArray
    freedom: FloatArray

    @property
    def variance(self) -> FloatArray:
        """Squared scale; NaN where it is not known or 0."""
        known = (self.freedom > 0) & (self.squares > 0)
        return np.where(known, self.squares / np.where(known, self.freedom, 1.0), np.nan)


def shrink(seen: Seen, *, parametric: bool, mean_only: bool) -> tuple[FloatArray, FloatArray]:
    """Shift and squared scale of each feature after shrinkage, ``(columns,)`` each; see the module."""
    variance = np.ones_like(seen.shift) if mean_only else seen.variance
    if np.isfinite(variance).sum() < 2:
        return seen.shift, np.where(np.isnan(variance), 1.0, variance)
    return (_parametric if parametric else _empirical)(seen, variance)


def _parametric(seen: Seen, variance: FloatArray) -> tuple[FloatArray, FloatArray]:
    known = variance[np.isfinite(variance)]
    centre, width = float(seen.shift.mean()), float(seen.shift.var(ddof=1))
    usual, differing = float(known.mean()), float(known.var(ddof=1))

    def shift_for(scale: FloatArray) -> FloatArray:
        return np.asarray((width * seen.patients * seen.shift + scale * centre) / (width * seen.patients + scale))

    scale = np.where(np.isnan(variance), usual, variance)
    if differing == 0.0:  # all scales are the same: nothing is drawn anywhere
        return shift_for(np.full_like(scale, usual)), np.full_like(scale, usual)
    a, b = 2.0 + usual**2 / differing, usual + usual**3 / differing
    shift = shift_for(scale)
    for _ in range(MOST_ROUNDS):
        squares = seen.squares + seen.patients * (seen.shift - shift) ** 2
        newer = (0.5 * squares + b) / (seen.patients / 2.0 + a - 1.0)
        before, shift = shift, shift_for(newer)
        change = max(np.abs(newer - scale).max(), np.abs(shift - before).max())
        scale = newer
        if change < CLOSE:
            break
    return shift, scale


def _empirical(seen: Seen, variance: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Each feature's shift and scale are the mean of those of the others, weighted by how likely its rows are then."""
    pool = np.flatnonzero(np.isfinite(variance))
    shifts, scales = seen.shift[pool], variance[pool]
    shift, scale = np.empty_like(seen.shift), np.empty_like(seen.shift)
    for column, (own, squares, n) in enumerate(zip(seen.shift, seen.squares, seen.patients, strict=True)):
        likely = -0.5 * (n * np.log(scales) + (squares + n * (own - shifts) ** 2) / scales)
        likely[pool == column] = -np.inf
        weight = np.exp(likely - likely.max())
        shift[column], scale[column] = weight @ shifts / weight.sum(), weight @ scales / weight.sum()
    return shift, scale
