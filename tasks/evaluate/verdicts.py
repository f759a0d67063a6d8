"""What the matching rule says of one case: records that travel as JSON.

The rule itself is in `tasks.evaluate.matching`.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

Verdict = Literal["hit", "overlap", "near", "small", "false_positive"]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class LesionMatch(_Record):
    """One annotated lesion and how it was found.

    Attributes
    ----------
    volume_ml
        ``None`` for the lesions of an excluded case.
    iou, dice
        Of the finding with the largest one; 0 without any.
    overlap, centroid
        Whether any finding overlaps it; whether the centroid of any finding lies inside.
    hit, strict_hit
        By the rule, with the IoU of the settings and with 0.5.
    score
        Highest score of all regions that hit, accepted or not; ``None`` when none does.
    """

    label: int
    volume_ml: float | None
    iou: float = 0.0
    dice: float = 0.0
    overlap: bool = False
    centroid: bool = False
    hit: bool = False
    strict_hit: bool = False
    score: float | None = None


class RegionMatch(_Record):
    """One region and what the rule makes of it.

    Attributes
    ----------
    lesion, iou, dice
        The lesion that it overlaps best, ``None`` without overlap.
    verdict
        ``hit``; ``overlap``: of a lesion, without hitting it; ``near``: no overlap, but too near a lesion to be called
        wrong; ``small``: far, but too small; ``false_positive``.
    """

    number: int
    score: float
    accepted: bool
    volume_ml: float
    lesion: int | None
    iou: float
    dice: float
    verdict: Verdict


class CaseMatch(_Record):
    """All lesions and all regions of one case. `analysed` is false for an excluded case, which has no regions."""

    case: str
    patient: str
    body_litres: float
    lesions: tuple[LesionMatch, ...]
    regions: tuple[RegionMatch, ...] = ()
    analysed: bool = True


def excluded_case(case: str, patient: str | None = None, *, lesions: int | None = None) -> CaseMatch:
    """A case that was received and not analysed: nothing found its lesions.

    These are as many as were annotated, and one at least: where nobody could read an annotation, or it has none, the
    case still counts as missed. Without a patient (a series that nobody could read), the case is a patient of its own.
    """
    return CaseMatch(
        case=case,
        patient=patient or f"unknown patient of {case}",
        body_litres=0.0,
        lesions=tuple(LesionMatch(label=label, volume_ml=None) for label in range(1, max(1, lesions or 0) + 1)),
        analysed=False,
    )
