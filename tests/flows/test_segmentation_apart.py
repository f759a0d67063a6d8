"""A study of segmentation keeps apart who is learned from and who is tested on: networks, plain rules, the gate."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from flows.preparing import Prepared
from flows.segmentation import compare_cases, compared_and_lost, train_segmenters
from flows.settings import SegmentationStudySettings
from storage.artifacts import ArtifactStore
from storage.case import Case
from storage.keys import digest
from storage.ome_zarr import write_volume
from storage.volume import Volume
from tasks.leakage import LeakageError
from tasks.split.folds import Folds
from tasks.task import Outcome, StageTask, Work, hand_over
from tasks.train import segmentation_task

STAGES = ("ingest", "annotate", "normalize", "detect")
CASES = [Case(id=f"C-{n}", patient=f"P-{n}", digest=digest(n), keys=dict.fromkeys(STAGES, f"C-{n}")) for n in range(6)]
EVERYONE = {case.id for case in CASES}
FOLDS = Folds(3, {f"P-{n}": n % 3 for n in range(6)}, groups={f"C-{n}": f"P-{n}" for n in range(6)})
HELD_OUT = [{"C-0", "C-3"}, {"C-1", "C-4"}, {"C-2", "C-5"}]
STUDY = SegmentationStudySettings.model_validate(
    {"kind": "segmentation", "name": "parts", "ingest": {"structures": {"front": 1, "back": 2}}}
)


class Asked:
    """Keeps what was asked for, and does none of it."""

    def __init__(self) -> None:
        self.works: list[Work] = []

    def all(self, _task: StageTask, works: Sequence[Work]) -> list[Outcome]:
        self.works += works
        return [Outcome(work.stage, work.subject, work.subject, cached=False, seconds=0.0) for work in works]

    def each(self, cases: Sequence[Case], task: StageTask, plan: Callable[[Case], Work]) -> list[Case]:
        self.all(task, [plan(case) for case in cases])
        return [case.with_key("match", case.id) for case in cases]


def test_the_network_of_a_fold_learns_from_the_others_and_says_whom_it_is_tested_on() -> None:
    asked = Asked()
    models = train_segmenters(cast(Any, asked), Prepared(CASES), FOLDS, "split", EVERYONE, STUDY)
    *folds, refit = asked.works
    for work, held_out in zip(folds, HELD_OUT, strict=True):
        assert {member["case"] for member in work.inputs["cases"]} == EVERYONE - held_out
        assert set(work.inputs["tested"]) == held_out
    assert {member["case"] for member in refit.inputs["cases"]} == EVERYONE
    assert refit.inputs["tested"] == []
    assert [models.of(case) for case in CASES] == [f"fold {n % 3 + 1}" for n in range(6)]


def test_the_plain_rules_beside_a_case_learned_from_the_cases_of_other_folds() -> None:
    asked = Asked()
    compare_cases(cast(Any, asked), CASES, Prepared(CASES), FOLDS, EVERYONE, STUDY)
    rules = [work for work in asked.works if work.stage == "atlas"]
    assert [work.subject for work in rules] == ["fold 1", "fold 2", "fold 3"]
    for work, held_out in zip(rules, HELD_OUT, strict=True):
        assert {case["normalize"] for case in work.inputs["cases"]} == EVERYONE - held_out
    matched = [work.inputs["atlas"] for work in asked.works if work.stage == "match"]
    assert matched == [f"fold {n % 3 + 1}" for n in range(6)]


def test_an_annotated_case_that_did_not_come_through_stays_in_the_denominator() -> None:
    files = {case.id: SimpleNamespace(label_map="there" if case.id != "C-5" else None) for case in CASES}
    through = [case.with_key("match", case.id) for case in CASES[:3]]
    compared, lost = compared_and_lost(cast(Any, SimpleNamespace(cases=CASES, files=files)), through)
    assert [case.id for case in compared] == ["C-0", "C-1", "C-2"]
    assert [case.id for case in lost] == ["C-3", "C-4"]  # of the last one nobody knows what is in it


def put(store: ArtifactStore, stage: str, name: str, write: Callable[[Path], object]) -> str:
    marks: dict[str, Any] = {"subject": "C", "inputs": {}, "settings": {}, "source": "", "versions": {}}
    with store.write(stage=stage, key=digest([stage, name]), **marks) as folder:
        write(folder)
    return digest([stage, name])


@pytest.mark.parametrize("pairs", [[], [["C-0", "C-1", 0.97]]], ids=["group", "pair"])
def test_a_network_is_not_trained_where_a_tested_case_shows_nearly_the_same(tmp_path: Path, pairs: list[Any]) -> None:
    store = ArtifactStore(tmp_path)
    groups = FOLDS.groups if pairs else FOLDS.groups | {"C-1": "P-0"}
    content = json.dumps({"groups": groups, "pairs": pairs})
    split = put(store, "split", content, lambda folder: (folder / "folds.json").write_text(content))
    about: dict[str, Any] = {"structures": STUDY.ingest.structures, "subject": "fold 2", "folds": split}
    work = segmentation_task.plan(CASES[:1], STUDY.train, tested=CASES[1:2], **about)
    with pytest.raises(LeakageError, match="share a group: C-0 and C-1"):
        segmentation_task.train_segmenter.fn(*hand_over(work, store))


def test_whoever_shows_nearly_the_same_is_one_patient_to_a_network_too(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path)
    image = Volume(np.zeros((4, 4, 4), np.float32), (1.0, 1.0, 1.0))
    keys = {
        "normalize": put(store, "normalize", "", lambda folder: write_volume(folder / "image.zarr", image)),
        "annotate": put(store, "annotate", "", lambda folder: write_volume(folder / "labels.zarr", image)),
    }
    members = [{"case": f"C-{n}", "patient": f"P-{n}", "digest": digest(n), **keys} for n in range(3)]
    groups = {"C-0": "P-0", "C-1": "P-0", "C-2": "P-2"}
    found = segmentation_task.labelled_volumes(store, members, STUDY.ingest.structures, groups, tmp_path)
    assert [volume.patient for volume in found] == ["P-0", "P-0", "P-2"]
