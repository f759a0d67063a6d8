"""How strongly two groupings of the same patients go together: Cramér's V, freed of what chance alone brings.

0 is not at all, 1 is that one tells the other (a little less in a small table of unlike sides). In a small cohort plain
V is far from 0 by chance (of 16 patients on 4 scanners about 0.4), so the corrected one of Bergsma 2013
(doi:10.1016/j.jkss.2012.10.002) is used.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def cramers_v(table: npt.ArrayLike) -> float | None:
    """Cramér's V with Bergsma's correction; ``None`` where either grouping has one group alone.

    Parameters
    ----------
    table
        How many patients are in each pair of groups, ``(groups, other groups)``.
    """
    counts = np.asarray(table, dtype=float)
    counts = counts[counts.sum(1) > 0][:, counts.sum(0) > 0]
    rows, columns = counts.shape
    if min(rows, columns) < 2:
        return None
    whole = counts.sum()
    expected = np.outer(counts.sum(1), counts.sum(0)) / whole
    free = 1.0 / (whole - 1.0)
    square = max(0.0, ((counts - expected) ** 2 / expected).sum() / whole - (rows - 1) * (columns - 1) * free)
    most = min(rows - (rows - 1) ** 2 * free, columns - (columns - 1) ** 2 * free) - 1.0
    return float(min(1.0, np.sqrt(square / most))) if most > 0 else None
