"""How numbers and names are written on the page: one way each, everywhere."""

from __future__ import annotations

import math

from tasks.report.content import Estimate
from tasks.report.drawn import Outcome

DASH = "–"
UNDEFINED = "—"

METRIC_NAMES = {
    "auc": "AUC",
    "accuracy": "Accuracy",
    "balanced_accuracy": "Balanced accuracy",
    "hits_iou_0.3": "Hits, IoU ≥ 0.3",
    "hits_iou_0.5": "Hits, IoU ≥ 0.5",
    "hits_overlap": "Hits, any overlap",
    "hits_centroid": "Hits, centroid",
    "dice": "Dice",
    "sensitivity_at_1_fp": "Sensitivity at 1 FP",
    "cpm": "CPM",
    "fp_per_scan": "FP per scan",
    "fp_per_litre": "FP per litre",
    "hausdorff_95_mm": "Hausdorff 95 %, mm",
    "surface_dice": "Surface Dice",
    "volume_difference_ml": "Volume difference, ml",
}
LOWER_IS_BETTER = frozenset({"fp_per_scan", "fp_per_litre", "hausdorff_95_mm"})

BASELINE_NAMES = {
    "this study": "This study",
    "suv_2.0": "SUV > 2.0",
    "suv_2.5": "SUV > 2.5",
    "suv_4.0": "SUV > 4.0",
    "local_41": "41 % of own maximum",
    "threshold": "Threshold",
    "centre": "Centre of the image",
    "box": "Box minus margin",
    "box_suv_1": "Box and SUV > 1",
    "random_point": "Random point in body",
    "size_and_border": "Size and border",
    "first_order_logistic": "First order, logistic",
    "wavelet_svm": "Wavelet, SVM",
    "hog_svm": "HOG, SVM",
    "majority": "Majority class",
    "atlas": "Atlas",
    "atlas_intensity": "Atlas and intensity",
}


def metric_name(name: str) -> str:
    """A metric's name for people, with what it is of behind it; an unknown one with its underscores as spaces."""
    known = max((one for one in METRIC_NAMES if name == one or name.startswith(f"{one}_")), key=len, default="")
    if not known:
        return name.replace("_", " ")
    of = name[len(known) + 1 :].replace("_", " ")
    return f"{METRIC_NAMES[known]}, {of}" if of else METRIC_NAMES[known]


def baseline_name(name: str) -> str:
    """A baseline's name for people."""
    return BASELINE_NAMES.get(name, name.replace("_", " "))


def defined(value: float | None) -> bool:
    """Whether there is a finite number."""
    return value is not None and math.isfinite(value)


def number(value: float | None, digits: int = 2) -> str:
    """Fixed digits; a dash where undefined. Never a negative zero."""
    if value is None or not math.isfinite(value):
        return UNDEFINED
    text = f"{value:.{digits}f}"
    return text.lstrip("-") if float(text) == 0 else text


def significant(value: float | None, digits: int = 3) -> str:
    """About so many significant digits, never in exponents from 0.001 up; a dash where undefined."""
    if value is None or not math.isfinite(value):
        return UNDEFINED
    if value == 0 or not 1e-3 <= abs(value) < 1e7:
        return f"{value:.{digits}g}"
    return number(value, max(0, digits - 1 - math.floor(math.log10(abs(value)))))


def interval(low: float | None, high: float | None, digits: int = 2) -> str:
    """``0.73–0.99``; with a negative bound ``-0.05 to 0.20``; empty where undefined."""
    if not (defined(low) and defined(high)):
        return ""
    between = " to " if min(low or 0.0, high or 0.0) < 0 else DASH
    return f"{number(low, digits)}{between}{number(high, digits)}"


def of_n(name: str, estimate: Estimate) -> str:
    """``23 of 24`` where a proportion is a count over n, else ``n 24``; empty without n."""
    if not estimate.n:
        return ""
    if name.startswith("hits_") and estimate.value is not None and math.isfinite(estimate.value):
        count = estimate.value * estimate.n
        if abs(count - round(count)) < 1e-6:
            return f"{round(count)} of {estimate.n}"
    return f"n {estimate.n}"


def p_value(p: float | None) -> str:
    """``p 0.04``; below a thousandth ``p < 0.001``."""
    if p is None or not math.isfinite(p):
        return ""
    return "p < 0.001" if p < 0.001 else f"p {p:.3f}" if p < 0.1 else f"p {p:.2f}"


def count(n: int, singular: str, plural: str = "") -> str:
    """``1 case``, ``2 cases``."""
    return f"{n} {singular if n == 1 else plural or singular + 's'}"


def outcome_text(outcome: Outcome | None, findings: int) -> str:
    """What evaluate says about a case, in words."""
    if outcome is None:
        return "not annotated"
    hit = outcome.lesions - len(outcome.missed)
    lesions = f"{hit} of {count(outcome.lesions, 'lesion')} found" if outcome.lesions else "no annotated lesion"
    if outcome.false_positives:
        return f"{lesions}, {count(outcome.false_positives, 'false positive')}"
    return lesions if outcome.lesions or findings else f"{lesions}, no finding"


def outcome_kind(outcome: Outcome | None) -> str:
    """``missed``, ``false`` (positives only), ``good`` or ``unknown``: decides the mark beside the words."""
    if outcome is None:
        return "unknown"
    if outcome.missed:
        return "missed"
    return "false" if outcome.false_positives else "good"
