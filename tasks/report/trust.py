"""How far the features can be trusted that the models stand on."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from tasks.report.drawn import Part

GOOD = 0.75
"""Agreement from which on measurements are called good (Koo and Li 2016, doi:10.1016/j.jcm.2016.02.012)."""
MOST_SHOWN = 20


class TrustedFeature(Part):
    """One feature: what the models make of it, and what became of it when the regions were tried again."""

    name: str
    models: int
    contour: float | None
    contour_low: float | None
    noise: float | None
    shuffled: float | None
    volume: float | None


class FeatureTrust(Part):
    """The features that models rely on, the most used first, and how all features of the study fare.

    Attributes
    ----------
    regions
        On how many regions the features were tried.
    good
        Features whose agreement under other contours and under noise is good, with 95 % confidence for the contours.
    """

    total: int = 0
    regions: int = 0
    good: int = 0
    shown: tuple[TrustedFeature, ...] = ()


def feature_trust(dictionary: Sequence[Mapping[str, Any]], models: Sequence[Collection[str]]) -> FeatureTrust:
    """The section of the report.

    Parameters
    ----------
    dictionary
        Rows of the study's data dictionary, with the columns of `tasks.extract.stability.evidence_of`.
    models
        Names of the features that each model relies on most.
    """
    known = {row["name"]: row for row in dictionary}
    uses = {name: sum(name in relied for relied in models) for name in known}
    used = sorted((name for name in known if uses[name]), key=lambda name: -uses[name])
    good = [row for row in dictionary if _at_least(row["icc_contour_low"]) and _at_least(row["icc_noise"])]
    return FeatureTrust(
        total=len(known),
        regions=int(max((row["regions"] for row in dictionary), default=0)),
        good=len(good),
        shown=tuple(_feature(known[name], uses[name]) for name in used[:MOST_SHOWN]),
    )


def _feature(row: Mapping[str, Any], models: int) -> TrustedFeature:
    return TrustedFeature(
        name=row["name"],
        models=models,
        contour=_number(row["icc_contour"]),
        contour_low=_number(row["icc_contour_low"]),
        noise=_number(row["icc_noise"]),
        shuffled=_number(row["icc_shuffled"]),
        volume=_number(row["volume_correlation"]),
    )


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _at_least(value: float) -> bool:
    return math.isfinite(value) and value >= GOOD
