"""Columns that several others together foretell: the variance inflation factor.

``VIF = 1 / (1 − R²)``, where R² is how much of a column a linear regression on the other columns explains (Marquardt
1970, doi:10.1080/00401706.1970.10488699). Dropping the worst column over and over is the usual way, but with more
columns than rows each one is explained in full. So it is done in two passes:

1. Columns are taken in the order of their F, unless those already taken foretell them.
2. Of the columns taken the worst is dropped until none is above the limit.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from tasks.classical.selector import Choice, FloatArray, IntArray, Selector


class Settings(Selector):
    """From where on a column says nothing of its own."""

    measure: ClassVar[str] = "−VIF"

    name: Literal["vif"] = "vif"
    most: float = Field(default=10.0, gt=1, description="VIF of a column at most; 10 is R² = 0.9.")

    def choose(self, features: FloatArray, labels: IntArray, *, seed: int) -> Choice:
        """Score the negative VIF: of kept columns among each other, of dropped ones when they were looked at."""
        from tasks.selection.correlation import correlations
        from tasks.selection.univariate import f_test

        del seed
        correlation = correlations(features, ranks=False)
        order = np.argsort(-np.nan_to_num(f_test(features, labels)[0]), kind="stable")
        taken, inflation = _take_in_turn(correlation, order, self.most)
        kept, inflation[taken] = _drop_worst(correlation[np.ix_(taken, taken)], self.most)
        chosen = np.zeros(len(correlation), dtype=bool)
        chosen[taken[kept]] = True
        return Choice(chosen, -inflation)


def _take_in_turn(correlation: FloatArray, order: IntArray, most: float) -> tuple[IntArray, FloatArray]:
    """The first pass: positions taken, ascending, and of all columns the VIF among those taken before.

    ``left`` is the covariance of what the columns taken so far do not explain (their Schur complement), so its diagonal
    is ``1 − R²``.
    """
    left = correlation.copy()
    inflation = np.full(len(order), np.inf)
    taken = []
    for column in order:
        unexplained = left[column, column]
        # With fewer rows than columns nothing is left in the end but rounding.
        inflation[column] = 1.0 / unexplained if unexplained > 1e-9 else np.inf
        if inflation[column] <= most:
            taken.append(column)
            left -= np.outer(left[column], left[column] / unexplained)
    return np.sort(np.asarray(taken, dtype=np.int64)), inflation


def _drop_worst(correlation: FloatArray, most: float) -> tuple[IntArray, FloatArray]:
    """The second pass: positions kept, and the VIF of each column when it was dropped, or in the end."""
    inverse = np.linalg.inv(correlation)  # its diagonal is the VIF of each column
    kept = np.arange(len(inverse))
    inflation = np.diag(inverse).copy()
    while inflation[kept].max() > most:
        worst = int(np.argmax(inflation[kept]))
        inverse -= np.outer(inverse[:, worst], inverse[worst] / inverse[worst, worst])
        kept, inverse = np.delete(kept, worst), np.delete(np.delete(inverse, worst, axis=0), worst, axis=1)
        inflation[kept] = np.diag(inverse)
    return kept, inflation
