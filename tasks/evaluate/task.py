"""The stages ``match`` (one case against its annotation) and ``evaluate`` (the metrics of the cohort)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from storage.artifacts import ArtifactStore
from storage.case import Case
from tasks.evaluate.settings import Settings
from tasks.task import Stage, Work, stage_task

if TYPE_CHECKING:
    from storage.volume import Volume
    from tasks.evaluate.matching import ScoredRegions
    from tasks.evaluate.verdicts import CaseMatch

LIBRARIES = ("numpy", "pandas", "scipy", "scikit-image", "SimpleITK", "zarr")
MATCH = Stage("match", libraries=LIBRARIES, places=("tasks.evaluate.task",))
STAGE = Stage("evaluate", libraries=LIBRARIES)


def plan_match(case: Case, settings: Settings, *, image: str, model: str, most: int | None) -> Work:
    """Matching of one case.

    Parameters
    ----------
    model
        Key of the model that scored the case. Its card tells the usual volume of the lesions that it learned from,
        which is what a rule that does not look may know.
    most
        Findings per case that detect keeps, so that baselines get as many.
    """
    keys = {stage: case.keys.get(stage) for stage in ("ingest", "annotate", "sample", "detect")}
    inputs = {
        "case": case.id,
        "patient": case.patient,
        "digest": case.digest,
        "image": image,
        "model": model,
        "most": most,
    }
    return MATCH.plan(settings, subject=case.id, inputs=inputs | keys)


def plan(cases: Sequence[Case], lost: Sequence[Case], settings: Settings, *, groups: Mapping[str, str]) -> Work:
    """Metrics over the matched cases and those that were lost on the way.

    ``groups``: by case whom it counts for, where that is not its patient alone: who shows nearly the same is one.
    """

    def listed(chosen: Sequence[Case], stage: str) -> list[dict[str, str | None]]:
        return [
            {"case": case.id, "patient": groups.get(case.id, case.patient), stage: case.keys.get(stage)}
            for case in sorted(chosen, key=lambda case: case.digest)
        ]

    inputs = {"matches": listed(cases, "match"), "lost": listed(lost, "annotate")}
    return STAGE.plan(settings, subject="cohort", inputs=inputs)


@stage_task("match")
def match_findings(work: Work, store: ArtifactStore, folder: Path) -> None:
    """Match ranked candidates and every baseline with the annotation, on the grid of the image as ingest stored it."""
    from storage.ome_zarr import read_volume, write_volume
    from tasks.evaluate.baselines import Scene, baselines_for, run_baseline
    from tasks.evaluate.matching import CaseTruth, match_case
    from tasks.imaging.resample import resample_onto

    settings, inputs = Settings.model_validate(work.settings), work.inputs
    annotation = store.open("annotate", inputs["annotate"]) if inputs["annotate"] else None
    image = read_volume(store.open("ingest", inputs["ingest"]) / f"{inputs['image']}.zarr")
    found = store.open("detect", inputs["detect"])
    ranked = resample_onto(read_volume(found / "ranked.zarr"), image)
    write_volume(folder / "ranked.zarr", ranked, name="ranked candidates")
    if annotation is None or json.loads((annotation / "facts.json").read_text())["lesions"] is None:
        (folder / "match.json").write_text(json.dumps({"ours": None, "baselines": {}}))
        return
    body = resample_onto(read_volume(store.open("sample", inputs["sample"]) / "body.zarr"), image).array.astype(bool)
    truth = CaseTruth(
        case=inputs["case"],
        patient=inputs["patient"],
        lesions=read_volume(annotation / "lesions.zarr"),
        body_litres=float(body.sum()) * image.voxel_ml / 1000.0,
    )
    ours = match_case(_regions(found, ranked, image), truth, settings)
    card = store.read_json("train", inputs["model"], "card.json")
    scene = Scene(image=image, body=body, digest=inputs["digest"], sphere_ml=card["usual_lesion_ml"])
    names = baselines_for(image.unit, settings)
    rules = {
        name: match_case(run_baseline(name, scene, settings, max_findings=inputs["most"]), truth, settings)
        for name in names
    }
    content = {
        "ours": ours.model_dump(mode="json"),
        "baselines": {name: match.model_dump(mode="json") for name, match in rules.items()},
    }
    (folder / "match.json").write_text(json.dumps(content, indent=1))


@stage_task("evaluate")
def evaluate_cohort(work: Work, store: ArtifactStore, folder: Path) -> None:
    """Metrics with intervals, every baseline through the same code, and the paired differences."""
    from tasks.evaluate.baselines import BASELINES
    from tasks.evaluate.comparison import compare
    from tasks.evaluate.summarize import summarize
    from tasks.evaluate.verdicts import CaseMatch, excluded_case

    settings = Settings.model_validate(work.settings)
    read = [(store.read_json("match", one["match"], "match.json"), one["patient"]) for one in work.inputs["matches"]]
    contents = [(content, patient) for content, patient in read if content["ours"] is not None]

    def matched(match: dict[str, Any], patient: str) -> CaseMatch:
        return CaseMatch.model_validate(match | {"patient": patient})

    ours = [matched(content["ours"], patient) for content, patient in contents]
    lost = [
        excluded_case(one["case"], one["patient"], lesions=_annotated_lesions(store, one["annotate"]))
        for one in work.inputs["lost"]
    ]
    names = [name for name in BASELINES if any(name in content["baselines"] for content, _ in contents)]
    theirs = {name: [matched(content["baselines"][name], patient) for content, patient in contents] for name in names}
    sides: dict[str, list[CaseMatch]] = {"this study": ours} | {str(name): theirs[name] for name in names}
    evaluation = {
        "metrics": {name: metric.model_dump(mode="json") for name, metric in summarize(ours, lost, settings).items()}
        if ours
        else {},
        "baselines": {
            name: {
                metric: value.model_dump(mode="json")
                for metric, value in summarize(theirs[name], lost, settings).items()
            }
            for name in names
        },
        "differences": [
            {"baseline": name, **comparison.model_dump(mode="json")}
            for name in names
            if (comparison := compare(ours, theirs[name], settings)) is not None
        ],
        "says": {name: BASELINES[name].says for name in names},
        "curves": {name: curve for name, matches in sides.items() if (curve := _curve([*matches, *lost]))},
    }
    (folder / "evaluation.json").write_text(json.dumps(evaluation, indent=1))


def _regions(found: Path, ranked: Volume, image: Volume) -> ScoredRegions:
    """What detect ranked, with its peaks on the image's grid."""
    import numpy as np
    import pandas as pd

    from storage.ome_zarr import read_volume
    from tasks.evaluate.matching import ScoredRegions

    table = pd.read_parquet(found / "ranked.parquet")
    grid = read_volume(found / "ranked.zarr")
    peaks = image.to_index(grid.to_world_mm(table[["peak_z", "peak_y", "peak_x"]].to_numpy(dtype=float).reshape(-1, 3)))
    return ScoredRegions(
        labels=ranked.array.astype(np.int64),
        scores=table["confidence"].to_numpy(dtype=float),
        peaks_zyx=np.asarray(peaks, dtype=float),
        accepted=table["accepted"].to_numpy(dtype=bool),
    )


def _annotated_lesions(store: ArtifactStore, annotation: str | None) -> int | None:
    """How many lesions were annotated in a case that was lost later; ``None`` where nobody could tell."""
    if annotation is None:
        return None
    lesions: int | None = store.read_json("annotate", annotation, "facts.json")["lesions"]
    return lesions


def _curve(matches: Sequence[CaseMatch]) -> dict[str, Any] | None:
    """The free-response curve over all that was received, and where the findings that were accepted lie on it."""
    from tasks.evaluate.measures import froc

    curve = froc(matches)
    if curve is None:
        return None
    lesions = [lesion for match in matches for lesion in match.lesions]
    wrong = sum(region.accepted and region.verdict == "false_positive" for match in matches for region in match.regions)
    return {
        "fp_per_scan": list(curve.fp_per_scan),
        "sensitivity": list(curve.sensitivity),
        "operating_point": [
            wrong / sum(match.analysed for match in matches),
            sum(lesion.hit for lesion in lesions) / len(lesions),
        ],
    }
