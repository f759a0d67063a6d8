"""The stage ``evaluate`` for pictures: metrics with intervals, and plain rules on the same folds beside them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

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
    batches: Sequence[Batch], lost: Mapping[str, Sequence[Case]], settings: Settings, *, folds: str | None
) -> Work:
    """Metrics over the pictures whose class is annotated.

    Parameters
    ----------
    lost
        Cases that did not come through, by their annotated class: they count as wrong.
    folds
        Key of the split, on whose folds plain rules are cross-validated; ``None``: every picture stands alone, and no
        rule is fitted.
    """
    keys = ("detect", "annotate", "extract") if folds else ("detect", "annotate")
    inputs = {
        "buckets": [{key: batch.keys[key] for key in keys} for batch in batches],
        "cases": {case.id: case.digest for batch in batches for case in batch.members},
        "lost": {label: sorted([case.id, case.digest] for case in cases) for label, cases in lost.items()},
        "split": folds,
    }
    return STAGE.plan(settings, subject="cohort", inputs=inputs)


@stage_task("evaluate")
def evaluate_pictures(work: Work, store: ArtifactStore, folder: Path) -> None:
    """Compare predicted with annotated classes."""
    from tasks.evaluate.picture_scores import Classified, score_pictures

    inputs = work.inputs
    split = store.read_json("split", inputs["split"], "folds.json") if inputs["split"] else {}
    groups, folds = split.get("groups", {}), split.get("folds", {})
    digests, classes = dict(inputs["cases"]), list(split.get("classes", []))
    pictures: list[Classified] = []

    def add(case: str, digest: str, truth: str, said: Mapping[str, Any] | None) -> None:
        group = f"group {groups[case]}" if case in groups else case
        answers = (said["probabilities"], said["members"]) if said else (None, {})
        pictures.append(Classified(case, digest, truth, answers[0], group, folds.get(case), answers[1]))

    for bucket in inputs["buckets"]:
        predictions = store.read_json("detect", bucket["detect"], "predictions.json")
        truths = store.read_json("annotate", bucket["annotate"], "classes.json")
        for case, said in predictions.items():
            classes = classes or list(said["probabilities"])
            if truths.get(case) is not None and case in digests:
                add(case, digests[case], truths[case], said)
    for label, cases in inputs["lost"].items():
        for case, digest in cases:
            add(case, digest, label, None)
    folders = [store.open("extract", bucket["extract"]) for bucket in inputs["buckets"] if inputs["split"]]
    evaluation = score_pictures(
        pictures,
        classes=classes,
        feature_files=[place / "features.parquet" for place in folders],
        settings=Settings.model_validate(work.settings),
    )
    (folder / "evaluation.json").write_text(json.dumps(evaluation, indent=1))
