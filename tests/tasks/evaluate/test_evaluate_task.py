"""The cohort's metrics from the store: who counts for whom, and what was lost stays in every denominator."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import pytest

from storage.artifacts import ArtifactStore
from storage.case import Case
from tasks.evaluate.settings import Settings
from tasks.evaluate.task import evaluate_cohort, plan
from tasks.evaluate.verdicts import CaseMatch, LesionMatch, RegionMatch
from tasks.task import hand_over

SETTINGS = Settings(bootstrap_draws=200)


def put(store: ArtifactStore, stage: str, key: str, name: str, content: Any) -> str:
    """Commit a file under a key."""
    marks: dict[str, Any] = {"inputs": {}, "settings": {}, "source": "s", "versions": {}}
    with store.write(stage=stage, key=key, subject=key, **marks) as folder:
        (folder / name).write_text(json.dumps(content))
    return key


def matched(store: ArtifactStore, number: int, *, hit: bool) -> Case:
    """A case with one lesion, which one region hits or none."""
    lesion = LesionMatch(
        label=1,
        volume_ml=1.0,
        iou=0.6 * hit,
        dice=0.7 * hit,
        overlap=hit,
        centroid=hit,
        hit=hit,
        strict_hit=hit,
        score=0.9 if hit else None,
    )
    region = RegionMatch(number=1, score=0.9, accepted=True, volume_ml=1.0, lesion=1, iou=0.6, dice=0.7, verdict="hit")
    case = f"C-{number}"
    match = CaseMatch(
        case=case, patient=f"P-{number}", body_litres=1.0, lesions=(lesion,), regions=(region,) if hit else ()
    )
    key = put(store, "match", f"m{number}", "match.json", {"ours": match.model_dump(mode="json"), "baselines": {}})
    return Case(id=case, patient=f"P-{number}", digest=str(number), keys={"match": key})


def evaluated(store: ArtifactStore, cases: list[Case], lost: list[Case], groups: dict[str, str]) -> dict[str, Any]:
    work = plan(cases, lost, SETTINGS, groups=groups)
    cast(Any, evaluate_cohort).fn(*hand_over(work, store)).result()
    found: dict[str, Any] = json.loads((store.open("evaluate", work.key) / "evaluation.json").read_text())
    return found


def test_patients_who_show_nearly_the_same_are_one(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path)
    cases = [matched(store, number, hit=number % 4 < 2) for number in range(8)]
    twice = {f"C-{number}": f"P-{number - number % 2}" for number in range(8)}  # each was sent under two names
    apart, together = evaluated(store, cases, [], {}), evaluated(store, cases, [], twice)
    assert (apart["metrics"]["hits_iou_0.3"]["n"], together["metrics"]["hits_iou_0.3"]["n"]) == (8, 4)
    assert apart["metrics"]["dice"]["value"] == together["metrics"]["dice"]["value"]
    for name in ("hits_iou_0.3", "dice"):
        wide, narrow = together["metrics"][name], apart["metrics"][name]
        assert wide["high"] - wide["low"] > narrow["high"] - narrow["low"]


def test_the_curve_and_its_ring_are_over_all_that_was_received(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path)
    cases = [matched(store, number, hit=True) for number in range(5)]
    lost = [Case(id=f"L-{number}", patient=f"Q-{number}", digest=f"l{number}") for number in range(5)]
    found = evaluated(store, cases, lost, {})
    curve = found["curves"]["this study"]
    assert max(curve["sensitivity"]) == found["metrics"]["sensitivity_at_1_fp"]["value"] == 0.5
    assert curve["operating_point"] == [0.0, 0.5]


def test_a_lost_case_misses_as_many_lesions_as_were_annotated(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path)
    cases = [matched(store, number, hit=True) for number in range(5)]
    annotation = put(store, "annotate", "a", "facts.json", {"lesions": 9, "volumes_ml": [1.0] * 9})
    lost = [Case(id="L", patient="Q", digest="l", keys={"annotate": annotation})]
    assert evaluated(store, cases, lost, {})["metrics"]["sensitivity_at_1_fp"]["value"] == pytest.approx(5 / 14)
