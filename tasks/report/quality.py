"""How good the images of a cohort are, and which cases stand apart from the others.

A case stands apart in a figure where its modified z-score, 0.6745 (x − median) / MAD, is beyond 3.5 (Iglewicz and
Hoaglin, How to Detect and Handle Outliers, ASQC 1993). Ratios of scales (noise, SNR, CNR, sharpness) are compared by
their logarithms, since double and half are equally far off.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import fmean, median
from typing import Any

from tasks.report.drawn import Part

BEYOND = 3.5
FEWEST = 5
"""Of fewer cases it cannot be said what is usual."""
LEAST = 0.01
"""Nearer to the median than this (a hundredth, or one per cent of a ratio) nothing stands apart."""
_MAD_TO_SIGMA = 0.6745
_MEAN_TO_SIGMA = 1.2533

FIGURES: Mapping[str, str] = {
    "before.noise": "Noise",
    "before.snr": "SNR",
    "before.cnr": "CNR",
    "before.sharpness": "Sharpness, 1/mm",
    "after.noise": "Noise, normalized",
    "after.snr": "SNR, normalized",
    "bias_strength": "Shading taken off",
    "clipped_share": "Cut off",
    "spacing_ratio": "Voxel, new/old",
}
"""Figures of the table, by where they stand in ``quality.json``; the ratio is that of the voxels' volumes."""
_LINEAR = frozenset({"clipped_share", "bias_strength"})


class ImageQuality(Part):
    """One case's figures, in the order of `FIGURES`, and the names of those that stand apart."""

    case: str
    figures: tuple[float | None, ...]
    apart: frozenset[str] = frozenset()


class CohortQuality(Part):
    """All cases, those that stand apart first, and the usual value of each figure."""

    names: tuple[str, ...] = ()
    medians: tuple[float | None, ...] = ()
    cases: tuple[ImageQuality, ...] = ()

    @property
    def apart(self) -> int:
        """How many cases stand apart in anything."""
        return sum(bool(case.apart) for case in self.cases)


def cohort_quality(found: Mapping[str, Mapping[str, Any]]) -> CohortQuality:
    """The table of a cohort.

    Parameters
    ----------
    found
        Content of ``quality.json`` by case.
    """
    rows = {case: tuple(_figure(content, path) for path in FIGURES) for case, content in found.items()}
    kept = [n for n in range(len(FIGURES)) if any(row[n] is not None for row in rows.values())]
    paths = [list(FIGURES)[n] for n in kept]
    table = {case: tuple(row[n] for n in kept) for case, row in rows.items()}
    columns = [[row[n] for row in table.values()] for n in range(len(kept))]
    outliers = [_outliers(column, logarithmic=path not in _LINEAR) for path, column in zip(paths, columns, strict=True)]
    names = tuple(FIGURES[path] for path in paths)
    cases = [
        ImageQuality(
            case=case,
            figures=row,
            apart=frozenset(name for name, odd in zip(names, outliers, strict=True) if odd[position]),
        )
        for position, (case, row) in enumerate(table.items())
    ]
    medians = tuple(median(known) if (known := [v for v in column if v is not None]) else None for column in columns)
    return CohortQuality(names=names, medians=medians, cases=tuple(sorted(cases, key=lambda c: not c.apart)))


def _figure(content: Mapping[str, Any], path: str) -> float | None:
    value: Any = content
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return math.prod(value) if isinstance(value, list) else value


def _outliers(values: Sequence[float | None], *, logarithmic: bool) -> list[bool]:
    """Which values stand apart; none where there are too few."""
    comparable = [
        None if value is None or (logarithmic and value <= 0) else math.log(value) if logarithmic else value
        for value in values
    ]
    known = [value for value in comparable if value is not None]
    if len(known) < FEWEST:
        return [False] * len(values)
    middle = median(known)
    scale = _scale([abs(value - middle) for value in known])
    return [value is not None and abs(value - middle) > max(BEYOND * scale, LEAST) for value in comparable]


def _scale(distances: Sequence[float]) -> float:
    """What the distances from the median say of the standard deviation."""
    if spread := median(distances):
        return spread / _MAD_TO_SIGMA
    return _MEAN_TO_SIGMA * fmean(distances)  # more than half are equal: the same authors' way out
