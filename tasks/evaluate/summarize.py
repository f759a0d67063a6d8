"""From the matches of a cohort to its metrics, each with its interval and the rule in words.

- *Unit*: the patient. `n` counts patients, and every bootstrap resamples patients. A patient with several examinations
  or lesions is one unit: hit when at least one of his lesions is hit; his Dice is the mean over his lesions. Only the
  FROC measures count lesions. Patients whose images show nearly the same are one, as they were for split.
- *received* and *analysed*: a metric's own value is over all that was received, the same over what was analysed stands
  beside it. Nothing found the lesions of an excluded case, one at least, with a Dice of 0. False positives and
  the AUC cannot count what was never scored: they are the same over both.
"""

from __future__ import annotations

from collections.abc import Sequence

from tasks.evaluate.matching import STRICT_IOU
from tasks.evaluate.measures import (
    Estimate,
    Measure,
    auc_measure,
    dice_measure,
    false_positive_measure,
    group_patients,
    hit_measure,
    sensitivity_measure,
)
from tasks.evaluate.settings import Settings
from tasks.evaluate.verdicts import CaseMatch
from tasks.metrics.froc import CPM_RATES


class Metric(Estimate):
    """An estimate over all that was received; what was counted and how, in words; the same over what was analysed."""

    rule: str
    analysed: Estimate


def summarize(matches: Sequence[CaseMatch], excluded: Sequence[CaseMatch], settings: Settings) -> dict[str, Metric]:
    """Metrics of one detector or rule over a cohort.

    Parameters
    ----------
    matches
        All analysed cases.
    excluded
        The others, from `tasks.evaluate.verdicts.excluded_case`.

    Returns
    -------
    dict
        By metric name: ``hits_iou_0.3`` (with the IoU of the settings), ``hits_iou_0.5``, ``hits_overlap``,
        ``hits_centroid``, ``dice``, ``sensitivity_at_1_fp``, ``cpm``, ``auc``, ``fp_per_scan``, ``fp_per_litre``. It
        depends neither on the order of the cases nor on the names of the patients.

    Raises
    ------
    ValueError
        When a case is given twice.
    """
    analysed, received = group_patients(matches), group_patients([*matches, *excluded])
    metrics = {}
    for name, (rule, measure) in _measures(settings).items():
        over_received, over_analysed = measure(received, settings), measure(analysed, settings)
        metrics[name] = Metric(
            **over_received.estimate.model_dump(),
            rule=f"{rule}; {settings.level:.0%} interval: {over_received.method}",
            analysed=over_analysed.estimate,
        )
    return metrics


def _measures(settings: Settings) -> dict[str, tuple[str, Measure]]:
    """Rule and measure by metric name."""
    hit = "patients with a lesion of whom at least one lesion is hit by"
    placed = f"{hit} a finding whose peak or centroid lies inside it, with IoU of at least"
    found = "share of all lesions that regions above some score hit"
    wrong = (
        f"findings of at least {settings.false_positive_ml:g} ml that overlap no lesion and are more than "
        f"{settings.false_positive_mm:g} mm from any"
    )
    return {
        f"hits_iou_{settings.iou_hit:g}": (f"{placed} {settings.iou_hit:g}", hit_measure(lambda m: m.hit)),
        f"hits_iou_{STRICT_IOU:g}": (f"{placed} {STRICT_IOU:g}", hit_measure(lambda m: m.strict_hit)),
        "hits_overlap": (f"{hit} a finding that overlaps it", hit_measure(lambda m: m.overlap)),
        "hits_centroid": (f"{hit} a finding whose centroid lies inside it", hit_measure(lambda m: m.centroid)),
        "dice": ("Dice of each lesion with its best single finding, mean per patient, mean of patients", dice_measure),
        "sensitivity_at_1_fp": (f"{found}, at 1 false positive per scan", sensitivity_measure((1.0,))),
        "cpm": (f"{found}, mean at 1/8, 1/4, 1/2, 1, 2, 4, 8 false positives per scan", sensitivity_measure(CPM_RATES)),
        "auc": ("chance that a region that hits a lesion scores above one that does not, all regions", auc_measure),
        "fp_per_scan": (f"{wrong}, per analysed scan", false_positive_measure(lambda _: 1.0)),
        "fp_per_litre": (f"{wrong}, per litre of body in the scans", false_positive_measure(lambda m: m.body_litres)),
    }
