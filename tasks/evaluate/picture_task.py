"""The stage ``evaluate`` for pictures: metrics with intervals, and plain rules on the same folds beside them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from storage.artifacts import ArtifactStore
from storage.case import Batch, Case
from tasks.evaluate.picture_settings import Settings
from tasks.task import Stage, Work, stage_task

STAGE = Stage(
    "evaluate",
    libraries=("numpy", "pandas", "scikit-learn", "scipy"),
    places=("tasks.evaluate.picture_task",),
)


def plan(
    batches: Sequence[Batch], lost: Sequence[Case], settings: Settings, *, folds: str | None, baselines: bool
) -> Work:
    """Metrics over the classified pictures whose class is known, and those that were lost on the way.

    Parameters
    ----------
    folds
        Key of the split, which says what belongs together; ``None``: every picture stands alone.
    baselines
        Whether plain rules are cross-validated on the same folds.
    """
    keys = ("detect", "annotate", "extract") if baselines else ("detect", "annotate")
    inputs = {
        "buckets": [{key: batch.keys[key] for key in keys} for batch in batches],
        "cases": {case.id: case.digest for batch in batches for case in batch.members},
        "lost": sorted(case.id for case in lost),
        "split": folds,
        "baselines": baselines,
    }
    return STAGE.plan(settings, subject="cohort", inputs=inputs)


@stage_task("evaluate")
def evaluate_pictures(work: Work, store: ArtifactStore, folder: Path) -> None:
    """Compare predicted with annotated classes."""
    from tasks.evaluate.picture_scores import Classified, score_pictures

    inputs = work.inputs
    split = json.loads((store.open("split", inputs["split"]) / "folds.json").read_text()) if inputs["split"] else {}
    classified: list[Classified] = []
    for bucket in inputs["buckets"]:
        predictions = json.loads((store.open("detect", bucket["detect"]) / "predictions.json").read_text())
        truths = json.loads((store.open("annotate", bucket["annotate"]) / "classes.json").read_text())
        classified += [
            Classified(
                case=case,
                digest=inputs["cases"][case],
                truth=truths[case],
                probabilities=said["probabilities"],
                group=split.get("groups", {}).get(case, case),
                fold=split.get("folds", {}).get(case),
            )
            for case, said in predictions.items()
            if truths.get(case) is not None and case in inputs["cases"]
        ]
    classified.sort(key=lambda one: one.digest)
    folders = [store.open("extract", bucket["extract"]) for bucket in inputs["buckets"] if inputs["baselines"]]
    evaluation = score_pictures(
        classified,
        lost=len(inputs["lost"]),
        feature_files=[place / "features.parquet" for place in folders],
        settings=Settings.model_validate(work.settings),
    )
    (folder / "evaluation.json").write_text(json.dumps(evaluation, indent=1))
