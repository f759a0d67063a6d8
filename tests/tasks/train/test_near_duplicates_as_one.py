"""Whoever shows nearly the same counts as one patient wherever training tears its cases apart once more."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pandas as pd
import pytest

from flows.preparing import Prepared
from flows.training import gate_of
from storage.artifacts import ArtifactStore
from storage.case import Case
from storage.keys import digest
from tasks.imaging import candidate_files, patch_files
from tasks.imaging.patch_files import PatchSet
from tasks.leakage import Gate, LeakageError, Pair
from tasks.split.folds import Folds
from tasks.task import hand_over
from tasks.train import patch_model_task, patch_models, task
from tasks.train.patch_models import PatchCase
from tasks.train.settings import Settings

STAGES = ("ingest", "normalize", "sample", "extract", "annotate")
CASES = [
    Case(id=f"C-{n}", patient=f"P-{n}", digest=digest(n), keys={stage: f"{stage} {n}" for stage in STAGES})
    for n in range(4)
]
GROUPS = {"C-0": "P-0", "C-1": "P-0", "C-2": "P-2", "C-3": "P-3"}
"""The second examination is the first one, sent under another name."""
GATE = Gate(set(GROUPS), set(), GROUPS)
SETTINGS = Settings.model_validate({"on_patches": [{"model": "haar_cascade"}]})
BY_DIGEST = [GROUPS[case.id] for case in sorted(CASES, key=lambda case: case.digest)]


def put(store: ArtifactStore, stage: str, name: str) -> str:
    """An artifact that holds nothing."""
    marks: dict[str, Any] = {"subject": "x", "inputs": {}, "settings": {}, "source": "s", "versions": {}}
    with store.write(stage=stage, key=digest([stage, name]), **marks):
        pass
    return digest([stage, name])


def test_inner_folds_of_models_on_features_are_told_groups() -> None:
    work = task.plan(CASES, SETTINGS, gate=GATE, subject="refit", most=None)
    assert [member["patient"] for member in work.inputs["cases"]] == BY_DIGEST


def test_inner_folds_of_models_on_patches_are_told_groups() -> None:
    patches = {case.id: "p" for case in CASES}
    work = patch_model_task.plan(CASES, SETTINGS.on_patches[0], patches=patches, gate=GATE, subject="refit")
    assert [member["patient"] for member in work.inputs["cases"]] == BY_DIGEST


def test_the_patches_of_a_case_bear_its_group_so_that_no_held_out_share_tears_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = ArtifactStore(tmp_path)
    own = PatchSet(cast(Any, None), pd.DataFrame({"patient": ["P-1", "P-1"]}), cast(Any, None), None)
    monkeypatch.setattr(patch_files, "read_patches", lambda _folder: own)
    monkeypatch.setattr(candidate_files, "read_candidates", lambda _folder: None)
    seen: list[PatchCase] = []

    def learn(cases: list[PatchCase], *_: object, **_more: object) -> None:
        seen.extend(cases)
        raise InterruptedError("this is all that it was to tell")

    monkeypatch.setattr(patch_models, "fit_on_patches", learn)
    patches = {case.id: put(store, "patches", case.id) for case in CASES}
    cases = [
        case.model_copy(update={"keys": {stage: put(store, stage, case.id) for stage in STAGES}}) for case in CASES
    ]
    work = patch_model_task.plan(cases, SETTINGS.on_patches[0], patches=patches, gate=GATE, subject="refit")
    with pytest.raises(InterruptedError):
        patch_model_task.train_patch_learner.fn(*hand_over(work, store))
    assert [case.patient for case in seen] == BY_DIGEST
    assert [set(case.patches.table["patient"]) for case in seen] == [{group} for group in BY_DIGEST]


def test_the_gate_of_a_fold_knows_all_whom_its_model_will_be_tested_on() -> None:
    folds = Folds(2, {f"P-{n}": n % 2 for n in range(4)}, groups={case.id: case.patient for case in CASES})
    outside = [case for case in CASES if folds.patients[case.patient] != 0]
    gate = gate_of(Prepared(CASES), folds, outside, "fold 1")
    assert (set(gate.learn), set(gate.held_out)) == ({"C-1", "C-3"}, {"C-0", "C-2"})
    assert set(gate_of(Prepared(CASES), folds, CASES, "refit").held_out) == set()
    for change in ({"groups": folds.groups | {"C-1": "P-0"}}, {"pairs": (Pair("C-2", "C-3", 0.95),)}):
        with pytest.raises(LeakageError):
            gate_of(Prepared(CASES), replace(folds, **change), outside, "fold 1").check()
