"""The stages ``draw`` (the pictures of one case) and ``report`` (page and tables of the study)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from storage.artifacts import ArtifactStore
from storage.case import Case
from storage.finding import Finding
from tasks.report.content import Accounting, Curve, Difference, Estimate, Fold, Metric, ReportInput
from tasks.report.drawn import DrawnCase, Outcome, Verdict
from tasks.report.harmonized import CaseScanner, Harmonization
from tasks.report.searched import searched
from tasks.report.selected import FoldSelection
from tasks.report.settings import Settings
from tasks.report.told import Told
from tasks.task import Stage, Work, stage_task

LIBRARIES = ("jinja2", "networkx", "numpy", "pandas", "pillow", "scikit-image")
DRAW = Stage("draw", libraries=LIBRARIES, places=("tasks.report.task",))
STAGE = Stage("report", libraries=LIBRARIES, places=("tasks.report.task", "tasks.report.templates"))

VERDICTS: dict[str, Verdict] = {
    "hit": "hit",
    "false_positive": "false positive",
    "overlap": "near",
    "near": "near",
    "small": "near",
}


def plan_case(case: Case, settings: Settings, *, image: str) -> Work:
    """Pictures of one case; of the bare image where nothing was detected because nothing was trained."""
    keys = {stage: case.keys.get(stage) for stage in ("ingest", "annotate", "detect", "match")}
    return DRAW.plan(
        settings, subject=case.id, inputs={"case": case.id, "patient": case.patient, "image": image} | keys
    )


def plan(
    cases: Sequence[Case],
    settings: Settings,
    *,
    study: Mapping[str, Any],
    models: Mapping[str, str],
    evaluation: str | None,
    features: str | None,
    accounting: Accounting,
    notes: Sequence[str],
) -> Work:
    """The page over all drawn cases.

    Parameters
    ----------
    study
        The study's resolved settings, shown as they are.
    models
        Key of each model by its subject, ``"fold 1"`` … ``"refit"``.
    evaluation
        Key of the cohort's evaluation, ``None`` when nothing was trained.
    features
        Key of the cohort's features, ``None`` where they are not gathered.
    accounting
        Where everything that was seen has gone.
    notes
        Sentences for the top of the page.
    """
    inputs = {
        "cases": [case.keys["draw"] for case in sorted(cases, key=lambda case: case.digest)],
        "detect": [case.keys.get("detect") for case in sorted(cases, key=lambda case: case.digest)],
        "normalize": {case.id: case.keys["normalize"] for case in sorted(cases, key=lambda case: case.digest)},
        "study": dict(study),
        "models": dict(models),
        "evaluation": evaluation,
        "features": features,
        "accounting": accounting.model_dump(mode="json"),
        "notes": list(notes),
    }
    return STAGE.plan(settings, subject="cohort", inputs=inputs)


@stage_task("draw")
def draw_panel(work: Work, store: ArtifactStore, folder: Path) -> None:
    """Draw a case with its findings and, where there is one, its annotation."""
    import numpy as np

    from storage.ome_zarr import read_volume
    from tasks.report.panel import draw_case
    from tasks.report.targets import CasePanel

    inputs = work.inputs
    image = read_volume(store.open("ingest", inputs["ingest"]) / f"{inputs['image']}.zarr")
    annotation = store.open("annotate", inputs["annotate"]) / "lesions.zarr" if inputs["annotate"] else None
    found: tuple[Finding, ...] = ()
    labels = outcome = None
    if inputs["match"]:
        match = store.open("match", inputs["match"])
        found = _findings(store, inputs["detect"])
        ranked = np.asarray(read_volume(match / "ranked.zarr").array)
        labels = np.where(ranked <= len(found), ranked, 0)  # findings are the first of the ranking
        outcome = _outcome(json.loads((match / "match.json").read_text())["ours"])
    panel = CasePanel(
        case=inputs["case"],
        patient=inputs["patient"],
        image_name=inputs["image"],
        volume=image,
        finding_labels=labels,
        lesion_labels=np.asarray(read_volume(annotation).array) if annotation and annotation.exists() else None,
        findings=found,
        outcome=outcome,
    )
    (folder / "drawn.json").write_text(draw_case(panel, Settings.model_validate(work.settings)).model_dump_json())


@stage_task("report")
def write_report(work: Work, store: ArtifactStore, folder: Path) -> None:
    """Write page, tables and plot."""
    from tasks.report.page import render_page
    from tasks.report.plots import froc_svg
    from tasks.report.quality import cohort_quality
    from tasks.report.selected import selected_features
    from tasks.report.tables import findings_json, write_findings_csv
    from tasks.report.trust import feature_trust

    inputs, settings = work.inputs, Settings.model_validate(work.settings)
    accounting = Accounting.model_validate(inputs["accounting"])
    cases = tuple(
        DrawnCase.model_validate_json((store.open("draw", key) / "drawn.json").read_bytes()) for key in inputs["cases"]
    )
    evaluation = store.read_json("evaluate", inputs["evaluation"], "evaluation.json") if inputs["evaluation"] else {}
    dictionary = _dictionary(store, inputs["features"], folder)
    folds = tuple(_fold(name, store.open("train", key)) for name, key in inputs["models"].items())
    curves = tuple(Curve(name=name, **curve) for name, curve in evaluation.get("curves", {}).items())
    report = ReportInput(
        study=inputs["study"]["name"],
        subtitle=inputs["study"]["description"],
        accounting=accounting,
        headline=settings.headline,
        metrics={name: Metric.model_validate(metric) for name, metric in evaluation.get("metrics", {}).items()},
        baselines={rule: _estimates(metrics) for rule, metrics in evaluation.get("baselines", {}).items()},
        baseline_rules=evaluation.get("says", {}),
        differences=tuple(_differences(evaluation.get("differences", []))),
        curves=curves,
        cases=cases,
        quality=cohort_quality(
            {case: store.read_json("normalize", key, "quality.json") for case, key in inputs["normalize"].items()}
        ),
        folds=folds,
        selected=selected_features([fold.selection for fold in folds]),
        scanners=tuple(one for key in inputs["detect"] if key for one in _scanner(store, key)),
        trust=feature_trust(dictionary, [dict(fold.top_features) for fold in folds]),
        settings_text=json.dumps(inputs["study"], indent=2),
        versions=store.versions("train", inputs["models"].values()),
        notes=tuple(inputs["notes"]),
        keys={
            **{f"model {name}": key for name, key in inputs["models"].items()},
            **{name: inputs[name] for name in ("evaluation", "features") if inputs[name]},
        },
    )
    findings = [finding for key in inputs["detect"] if key for finding in _findings(store, key)]
    (folder / "report.html").write_text(render_page(report), encoding="utf-8")
    (folder / "findings.csv").write_text(write_findings_csv(findings), encoding="utf-8", newline="")
    (folder / "findings.json").write_text(findings_json(findings), encoding="utf-8")
    (folder / "froc.svg").write_text(str(froc_svg(curves, standalone=True)), encoding="utf-8")


def _findings(store: ArtifactStore, key: str) -> tuple[Finding, ...]:
    content = store.read_json("detect", key, "findings.json")
    return tuple(Finding.model_validate(record) for record in content)


def _scanner(store: ArtifactStore, key: str) -> list[CaseScanner]:
    """The scanner of a case; none where its model does not harmonize."""
    file = store.open("detect", key) / "scanner.json"
    return [CaseScanner.model_validate_json(file.read_bytes())] if file.exists() else []


def _dictionary(store: ArtifactStore, key: str | None, folder: Path) -> list[dict[str, Any]]:
    """Rows of the study's data dictionary; it and the features are laid beside the page, for other tools."""
    if key is None:
        return []
    import pandas as pd

    found = store.open("features", key)
    dictionary = pd.read_parquet(found / "dictionary.parquet")
    dictionary.to_csv(folder / "data_dictionary.csv", index=False, float_format="%.6g")
    (folder / "features.parquet").write_bytes((found / "features.parquet").read_bytes())
    return [{str(name): value for name, value in row.items()} for row in dictionary.to_dict("records")]


def _outcome(match: dict[str, Any] | None) -> Outcome | None:
    if match is None:
        return None
    return Outcome(
        lesions=len(match["lesions"]),
        missed=tuple(lesion["label"] for lesion in match["lesions"] if not lesion["hit"]),
        verdicts={region["number"]: VERDICTS[region["verdict"]] for region in match["regions"] if region["accepted"]},
    )


def _estimates(metrics: dict[str, dict[str, Any]]) -> dict[str, Estimate]:
    return {
        name: Estimate(**{field: metric[field] for field in ("value", "low", "high", "n")})
        for name, metric in metrics.items()
    }


def _differences(comparisons: Sequence[dict[str, Any]]) -> list[Difference]:
    """The paired comparisons as the page lists them: one line for hits, one for Dice."""
    rows = []
    for comparison in comparisons:
        for metric, part in (("hits_iou_0.3", comparison["hits"]), ("dice", comparison["dice"])):
            rule = (
                f"only ours {part['ours_only']}, only theirs {part['theirs_only']}; McNemar exact"
                if "ours_only" in part
                else "patient bootstrap"
            )
            numbers = {name: part[name] for name in ("difference", "low", "high", "p", "n")}
            rows.append(Difference(baseline=comparison["baseline"], metric=metric, rule=rule, **numbers))
    return rows


def _fold(name: str, folder: Path) -> Fold:
    card = json.loads((folder / "card.json").read_text())
    return Fold(
        name=name.removeprefix("fold "),
        model=card["model"],
        score=card["scores"][card["model"]]["cpm"],
        score_name="inner out-of-fold CPM",
        operating_point=card["threshold"],
        training_patients=card["patients"],
        training_candidates=card["candidates"],
        top_features=tuple(list(card["importance"].items())[:8]),
        scores=card["scores"],
        selection=FoldSelection.model_validate(card.get("selection", {})),  # older models have none
        harmonization=Harmonization.model_validate(found) if (found := card.get("harmonization")) else None,
        searched=searched(card.get("trials", {})),
        told=Told.model_validate(card.get("facts", {})),
    )
