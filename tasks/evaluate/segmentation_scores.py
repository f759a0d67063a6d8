"""From the measures of single cases to those of a cohort: means over patients, with intervals and paired differences.

The unit is the patient: several examinations of one are averaged first, and every bootstrap resamples patients. Over
what was *received* a case that was lost on the way counts as a Dice, and surface Dice, of 0; distances and volumes
cannot count what was never segmented, and are the same over what was *analysed*.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tasks.evaluate.atlas import SAYS
from tasks.evaluate.segmentation_measures import METRICS, Measures
from tasks.evaluate.segmentation_settings import SegmentationSettings
from tasks.imaging.structures import WHOLE
from tasks.metrics.intervals import Interval, bounded_interval, mean_draws, percentile_ends

FloatArray = npt.NDArray[np.float64]
OURS = "ours"
SHARES = ("dice", "surface_dice")
"""Metrics between 0 and 1, which a lost case has too: 0."""
DIFFERENCES = ("dice", "hausdorff_95_mm")
SENTENCES = {
    "dice": "Dice of {what}",
    "hausdorff_95_mm": "95th percentile of the distances between the surfaces of {what}, in mm; the image's diagonal "
    "where only one of both has it",
    "surface_dice": "part of both surfaces of {what} no further than {tolerance:g} mm from the other",
    "volume_difference_ml": "segmented minus annotated volume of {what}, in ml",
}


@dataclass(frozen=True)
class Compared:
    """An annotated case: its measures by rule (``"ours"`` and the baselines) and structure; none for a lost one."""

    patient: str
    digest: str
    measures: Mapping[str, Mapping[str, Measures]] | None


def score_segmentations(cases: Sequence[Compared], settings: SegmentationSettings) -> dict[str, Any]:
    """Everything that ``evaluation.json`` holds; empty tables when no case was compared."""
    ordered = sorted(cases, key=lambda case: case.digest)
    analysed = [case for case in ordered if case.measures is not None]
    if not analysed:
        return {"metrics": {}, "baselines": {}, "differences": [], "says": {}}
    first = analysed[0].measures or {}
    rules = [rule for rule in first if rule != OURS]
    names = [(metric, structure) for metric in METRICS for structure in first[OURS]]
    metrics = {}
    for metric, structure in names:
        received, method = _estimate(_values(ordered, OURS, metric, structure), metric, settings)
        sentence = SENTENCES[metric].format(what=_what(structure), tolerance=settings.tolerance_mm)
        rule = f"{sentence}, mean of patients; {settings.level:.0%} interval: {method}"
        inner, _ = _estimate(_values(analysed, OURS, metric, structure), metric, settings)
        metrics[metric_name(metric, structure)] = {**received, "rule": rule, "analysed": inner}
    return {
        "metrics": metrics,
        "baselines": {
            rule: {
                metric_name(metric, structure): _estimate(_values(ordered, rule, metric, structure), metric, settings)[
                    0
                ]
                for metric, structure in names
            }
            for rule in rules
        },
        "differences": [
            _difference(analysed, rule, metric, structure, settings)
            for rule in rules
            for metric, structure in names
            if metric in DIFFERENCES
        ],
        "says": {rule: SAYS[rule] for rule in rules},
    }


def metric_name(metric: str, structure: str) -> str:
    """``dice`` of all structures together, ``dice_anterior`` of one."""
    return metric if structure == WHOLE else f"{metric}_{structure}"


def _what(structure: str) -> str:
    return "all structures together" if structure == WHOLE else f"the structure '{structure}'"


def _values(cases: Iterable[Compared], rule: str, metric: str, structure: str) -> dict[str, float]:
    """Mean of each patient, those left out for whom it is not defined."""
    found: dict[str, list[float]] = {}
    for case in cases:
        lost = 0.0 if metric in SHARES else None
        value = lost if case.measures is None else case.measures[rule][structure][metric]
        if value is not None:
            found.setdefault(case.patient, []).append(value)
    return {patient: float(np.mean(values)) for patient, values in found.items()}


def _estimate(
    by_patient: Mapping[str, float], metric: str, settings: SegmentationSettings
) -> tuple[dict[str, Any], str]:
    """The mean with its interval and n, and what the interval is."""
    values = np.sort(list(by_patient.values()))
    if not values.size:
        return {"value": None, "low": None, "high": None, "n": 0}, "none, since it is not defined"
    mean = float(values.mean())
    interval = _interval(values, mean, settings, bounds=(0.0, 1.0) if metric in SHARES else None)
    low, high, method = interval if interval else (None, None, "none, since all patients are alike")
    return {"value": mean, "low": low, "high": high, "n": int(values.size)}, method


def _interval(
    values: FloatArray, mean: float, settings: SegmentationSettings, *, bounds: tuple[float, float] | None
) -> Interval | None:
    draws = mean_draws(values, draws=settings.draws, seed=settings.seed)
    if bounds is not None:
        least, most = bounds
        return bounded_interval(draws, value=mean, n=values.size, least=least, most=most, level=settings.level)
    ends = percentile_ends(draws, level=settings.level)
    return Interval(*ends, f"patient bootstrap, {settings.draws} draws") if ends else None


def _difference(
    cases: Sequence[Compared], rule: str, metric: str, structure: str, settings: SegmentationSettings
) -> dict[str, Any]:
    """Ours minus the rule's on the same patients (Wilcoxon 1945, doi:10.2307/3001968)."""
    ours, theirs = (_values(cases, name, metric, structure) for name in (OURS, rule))
    both = sorted(set(ours) & set(theirs))
    apart = np.sort([ours[patient] - theirs[patient] for patient in both])
    mean = float(apart.mean()) if apart.size else None
    bounds = (-1.0, 1.0) if metric in SHARES else None
    interval = _interval(apart, mean, settings, bounds=bounds) if mean is not None else None
    return {
        "baseline": rule,
        "metric": metric_name(metric, structure),
        "difference": mean,
        "low": interval.low if interval else None,
        "high": interval.high if interval else None,
        "p": _wilcoxon_p(apart),
        "n": len(both),
        "rule": "Wilcoxon's signed ranks; interval: patient bootstrap",
    }


def _wilcoxon_p(apart: FloatArray) -> float | None:
    """Two-sided p of the signed-rank test; ``None`` without patients, 1 where all are alike."""
    from scipy.stats import wilcoxon

    if not apart.size:
        return None
    return float(wilcoxon(apart).pvalue) if np.any(apart) else 1.0
