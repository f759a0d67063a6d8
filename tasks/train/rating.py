"""How good scores of candidates are once detect works with them: what models are compared by, and where findings begin.

Candidates that overlap are told from each other as detect does, so that what is counted here is what a reader will see.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tasks.imaging.consensus import consensus
from tasks.metrics.discrimination import auc, patient_scores
from tasks.metrics.froc import CPM_RATES, PatientDetections, cpm, sensitivities
from tasks.train.case_table import CaseTable, FloatArray
from tasks.train.settings import Settings


def rate(
    cases: Sequence[CaseTable], scores: Sequence[FloatArray], settings: Settings, most: int | None
) -> dict[str, float]:
    """CPM and AUC of each case's scores; ``most``: findings per case, at most; ``None``: as many as there are."""
    detections = [as_detected(case, score, settings, most) for case, score in zip(cases, scores, strict=True)]
    ranked = [
        patient_scores(score, case.positive(settings.positive_iou)) for case, score in zip(cases, scores, strict=True)
    ]
    return {
        "cpm": round(float(cpm(np.nan_to_num(sensitivities(detections, CPM_RATES)))), 6),
        "auc": round(float(np.nan_to_num(auc(ranked))), 6),
    }


def as_detected(case: CaseTable, scores: FloatArray, settings: Settings, most: int | None) -> PatientDetections:
    """What detect would say of a case with these scores."""
    labels = case.labels
    best = dict.fromkeys(range(1, labels.lesions + 1), -np.inf)
    wrong = []
    for index, score, _ in consensus(scores, case.dice, most=most):
        if labels.placed[index] and labels.iou[index] >= settings.hit_iou:
            lesion = int(labels.lesion[index])
            best[lesion] = max(best[lesion], score)
        elif labels.lesion[index] == 0 and case.volume_ml[index] >= settings.false_positive_ml:
            wrong.append(score)
    return PatientDetections(1, tuple(sorted(best.values())), tuple(sorted(wrong)))


def operating_point(
    cases: Sequence[CaseTable], scores: Sequence[FloatArray], settings: Settings, most: int | None
) -> float:
    """The lowest threshold that allows as many false positives as the study does; findings lie above it."""
    detections = [as_detected(case, score, settings, most) for case, score in zip(cases, scores, strict=True)]
    wrong = sorted((score for one in detections for score in one.false_positive_scores), reverse=True)
    allowed = int(settings.fp_per_scan * len(cases))
    return 0.0 if len(wrong) <= allowed else wrong[allowed]
