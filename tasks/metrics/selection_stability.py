"""How much sets of selected features agree, beyond what chance brings: the index of Nogueira, Sechidis and Brown.

1 is the same set each time, 0 what drawing sets of these sizes at random would give; less is possible. Unlike means of
overlaps it does not rise with the number of features that are selected.

References
----------
Nogueira, Sechidis & Brown 2018, "On the Stability of Feature Selection Algorithms", JMLR 18(174): the index is
definition 4, its asymptotic interval corollary 9. Sets are taken for independent there. Folds of one cohort share most
of their patients, so that of folds is narrower than it should be.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt


class SelectionStability(NamedTuple):
    """The index and its interval, cut at 1."""

    value: float
    low: float
    high: float


def selection_stability(kept: npt.NDArray[np.bool_], *, level: float = 0.95) -> SelectionStability | None:
    """Stability of a selection of features.

    Parameters
    ----------
    kept
        bool ``(repetitions, features)``.

    Returns
    -------
    SelectionStability or None
        ``None`` where it is not defined: fewer than two repetitions, or every one kept all features or none.
    """
    from scipy.stats import norm

    repetitions, features = kept.shape
    chosen = kept.astype(float)
    frequency = chosen.mean(axis=0)
    share = float(frequency.mean())  # of the features that are selected, on average
    if repetitions < 2 or share in (0.0, 1.0):
        return None
    spread = share * (1 - share)
    value = 1 - repetitions / (repetitions - 1) * float((frequency * (1 - frequency)).mean()) / spread
    own = chosen.mean(axis=1)
    each = (chosen @ frequency / features - own * share + value / 2 * (2 * share * own - own - share + 1)) / spread
    deviation = float(np.sqrt(4 * ((each - each.mean()) ** 2).sum())) / repetitions
    reach = float(norm.ppf((1 + level) / 2)) * deviation
    return SelectionStability(value, value - reach, min(1.0, value + reach))
