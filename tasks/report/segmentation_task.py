"""The stages ``draw`` (pictures of some cases) and ``report`` (page and tables) of a study of segmentation."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from storage.artifacts import ArtifactStore
from storage.case import Case
from tasks.report.content import Accounting, Difference, Estimate, Fold, Metric, ReportInput
from tasks.report.picture_content import Learning
from tasks.report.segmentation_content import SegmentationPart, SegmentedCase, ShownCase
from tasks.report.segmentation_settings import SegmentationSettings
from tasks.task import Stage, Work, stage_task

LIBRARIES = ("jinja2", "numpy", "pandas", "pillow", "scikit-image", "zarr")
DRAW = Stage("draw", libraries=LIBRARIES, places=("tasks.report.segmentation_task",))
STAGE = Stage("report", libraries=LIBRARIES, places=("tasks.report.segmentation_task", "tasks.report.templates"))
OURS, WHOLE = "ours", "whole"


def plan_draw(cases: Sequence[Case], settings: SegmentationSettings, *, image: str) -> Work:
    """Drawing the best, the worst and some other cases."""
    return DRAW.plan(settings, subject="cohort", inputs={"cases": _members(cases), "image": image})


def plan(
    cases: Sequence[Case],
    settings: SegmentationSettings,
    *,
    study: Mapping[str, Any],
    models: Mapping[str, str],
    evaluation: str | None,
    drawn: str | None,
    accounting: Accounting,
    notes: Sequence[str],
) -> Work:
    """The page over all cases; parameters as in `tasks.report.task.plan`, ``drawn`` the key of the pictures."""
    inputs = {
        "cases": _members(cases),
        "study": dict(study),
        "models": dict(models),
        "evaluation": evaluation,
        "drawn": drawn,
        "accounting": accounting.model_dump(mode="json"),
        "notes": list(notes),
    }
    return STAGE.plan(settings, subject="cohort", inputs=inputs)


@stage_task("draw")
def draw_cases(work: Work, store: ArtifactStore, folder: Path) -> None:
    """Draw the chosen cases, each with both outlines."""
    from storage.ome_zarr import read_volume
    from tasks.report.segmentation_panel import choose_cases, draw_segmented, rank_words

    settings = SegmentationSettings.model_validate(work.settings)
    members = {member["case"]: member for member in work.inputs["cases"]}
    dice = {case: _dice(store, member) for case, member in members.items()}
    chosen = choose_cases(dice, settings.shown)
    shown = []
    for place, case in enumerate(chosen):
        keys = members[case]
        image = read_volume(store.open("ingest", keys["ingest"]) / f"{work.inputs['image']}.zarr")
        found = read_volume(store.open("detect", keys["detect"]) / "labels.zarr").array
        annotation = store.open("annotate", keys["annotate"]) / "labels.zarr" if keys["annotate"] else None
        truth = read_volume(annotation).array if annotation and annotation.exists() else None
        planes = draw_segmented(image, found, truth, settings, case=case)
        caption = "" if dice[case] is None else rank_words(place, len(chosen)).capitalize()
        shown.append(ShownCase(case=case, caption=caption, dice=dice[case], planes=planes))
    (folder / "shown.json").write_text(json.dumps([one.model_dump(mode="json") for one in shown]))


@stage_task("report")
def write_report(work: Work, store: ArtifactStore, folder: Path) -> None:
    """Write page, tables and plot."""
    from tasks.report.learning import SEGMENTATION_LOSS, learning_svg
    from tasks.report.page import render_page

    inputs, settings = work.inputs, SegmentationSettings.model_validate(work.settings)
    evaluation = store.read_json("evaluate", inputs["evaluation"], "evaluation.json") if inputs["evaluation"] else {}
    shown = store.read_json("draw", inputs["drawn"], "shown.json") if inputs["drawn"] else []
    cards = {name: store.read_json("train", key, "network.json")["card"] for name, key in inputs["models"].items()}
    structures = inputs["study"]["ingest"]["structures"]
    cases = [_segmented(store, member) for member in inputs["cases"] if member["detect"]]
    cases.sort(key=lambda case: (-(case.measure(WHOLE, "dice") or -1.0), case.case))
    learning = tuple(_learning(name, card) for name, card in cards.items())
    report = ReportInput(
        study=inputs["study"]["name"],
        subtitle=inputs["study"]["description"],
        accounting=Accounting.model_validate(inputs["accounting"]),
        headline=settings.headline,
        metrics={name: Metric.model_validate(metric) for name, metric in evaluation.get("metrics", {}).items()},
        baselines={
            rule: {name: Estimate.model_validate(value) for name, value in values.items()}
            for rule, values in evaluation.get("baselines", {}).items()
        },
        baseline_rules=evaluation.get("says", {}),
        differences=tuple(Difference.model_validate(one) for one in evaluation.get("differences", [])),
        folds=tuple(_fold(name, card) for name, card in cards.items()),
        settings_text=json.dumps(inputs["study"], indent=2),
        versions=store.versions("train", inputs["models"].values()),
        notes=(*inputs["notes"], *dict.fromkeys(card["note"] for card in cards.values())),
        keys={f"model {name}": key for name, key in inputs["models"].items()},
        segmentation=SegmentationPart(
            structures=structures,
            columns=tuple(dict.fromkeys(name for case in cases for name in case.measures)),
            cases=tuple(cases),
            learning=learning,
            shown=tuple(ShownCase.model_validate(one) for one in shown),
        ),
    )
    rows = [row for member in inputs["cases"] if member["detect"] for row in _rows(store, member)]
    (folder / "report.html").write_text(render_page(report), encoding="utf-8")
    (folder / "findings.json").write_text(json.dumps(rows, indent=1), encoding="utf-8")
    (folder / "findings.csv").write_text(_csv(rows), encoding="utf-8", newline="")
    if learning:
        svg = learning_svg(learning, what=SEGMENTATION_LOSS, standalone=True)
        (folder / "learning.svg").write_text(str(svg), encoding="utf-8")


def _members(cases: Sequence[Case]) -> list[dict[str, str | None]]:
    """Keys of the cases, by digest."""
    stages = ("ingest", "annotate", "detect", "match")
    ordered = sorted(cases, key=lambda case: case.digest)
    return [
        {"case": case.id, "patient": case.patient, **{stage: case.keys.get(stage) for stage in stages}}
        for case in ordered
    ]


def _measures(store: ArtifactStore, member: Mapping[str, Any]) -> dict[str, dict[str, float | None]]:
    found: dict[str, dict[str, float | None]] = {}
    if member["match"]:
        found = store.read_json("match", member["match"], "match.json")[OURS]
    return found


def _dice(store: ArtifactStore, member: Mapping[str, Any]) -> float | None:
    return _measures(store, member).get(WHOLE, {}).get("dice")


def _segmented(store: ArtifactStore, member: Mapping[str, Any]) -> SegmentedCase:
    structures = store.read_json("detect", member["detect"], "facts.json")["structures"]
    annotation = store.read_json("annotate", member["annotate"], "facts.json") if member["annotate"] else {}
    return SegmentedCase(
        case=member["case"],
        patient=member["patient"],
        volumes_ml={name: structure["volume_ml"] for name, structure in structures.items()},
        annotated_ml=annotation.get("volumes_ml"),
        measures=_measures(store, member),
    )


def _rows(store: ArtifactStore, member: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A row a structure: where it lies, and how large it is."""
    facts = store.read_json("detect", member["detect"], "facts.json")
    measures = _measures(store, member)
    return [
        {
            "case": member["case"],
            "patient": member["patient"],
            "structure": name,
            "volume_ml": structure["volume_ml"],
            "centroid_mm": structure["centroid_mm"],
            "dice": measures.get(name, measures.get(WHOLE, {})).get("dice"),
            "model": facts["model"],
            "mask": member["detect"],
        }
        for name, structure in facts["structures"].items()
    ]


def _csv(rows: Sequence[Mapping[str, Any]]) -> str:
    import pandas as pd

    places = ("centroid_x_mm", "centroid_y_mm", "centroid_z_mm")
    flat = [
        {name: value for name, value in row.items() if name != "centroid_mm"}
        | dict(zip(places, row["centroid_mm"] or (None,) * 3, strict=True))
        for row in rows
    ]
    columns = ["case", "patient", "structure", "volume_ml", *places, "dice", "model", "mask"]
    return str(pd.DataFrame(flat, columns=columns).to_csv(index=False))


def _fold(name: str, card: Mapping[str, Any]) -> Fold:
    examined = [record["held_out"] for record in card["history"] if record["held_out"]]
    return Fold(
        name=name.removeprefix("fold "),
        model=card["model"],
        score=examined[-1]["dice"] if examined else None,
        score_name="mean Dice of cases held out of training" if examined else "",
        training_patients=card["patients"],
        training_candidates=card["cases"],
    )


def _learning(name: str, card: Mapping[str, Any]) -> Learning:
    return Learning(
        name=name,
        training=tuple(record["training"]["loss"] for record in card["history"]),
        held_out=tuple(record["held_out"].get("loss") for record in card["history"]),
    )
