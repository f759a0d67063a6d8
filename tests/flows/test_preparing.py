"""What a step of normalize learns, it learns from training patients alone, once per fold."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from flows.preparing import Prepared, prepare_cases, prepare_for_models
from flows.settings import StudySettings
from storage.artifacts import ArtifactStore
from storage.case import Case
from storage.keys import digest
from storage.ome_zarr import write_volume
from storage.volume import Volume
from tasks.imaging.catalog import step_named
from tasks.ingest.settings import ImageSelector
from tasks.ingest.settings import Settings as IngestSettings
from tasks.normalize.settings import Settings as NormalizeSettings
from tasks.split.folds import Folds
from tasks.task import Outcome, StageTask, Work, hand_over

FOLDS = Folds(patients={f"P-{n}": n % 3 for n in range(6)}, count=3)


class Here:
    """Does work in this process; keeps what was asked for, and loses the cases of ``lost`` stages."""

    def __init__(self, store: ArtifactStore, lost: Callable[[Work], bool] = lambda _work: False) -> None:
        self.store, self.lost, self.works = store, lost, list[Work]()

    def all(self, task: StageTask, works: Sequence[Work]) -> list[Outcome]:
        self.works += works
        return [cast(Outcome, task.fn(*hand_over(work, self.store)).result()) for work in works]

    def each(self, cases: Sequence[Case], task: StageTask, plan: Callable[[Case], Work]) -> list[Case]:
        works = [plan(case) for case in cases]
        outcomes = self.all(task, works)
        return [
            case.with_key(work.stage, outcome.key)
            for case, work, outcome in zip(cases, works, outcomes, strict=True)
            if not self.lost(work)
        ]


def study(*names: str) -> StudySettings:
    return StudySettings(
        name="brain",
        ingest=IngestSettings(images={"mr": ImageSelector(modality="MR")}),
        normalize=NormalizeSettings(steps=cast(Any, tuple(step_named(name)() for name in names))),
    )


def ingested(store: ArtifactStore, number: int, gain: float = 1.0) -> Case:
    """A ball in air with noise, of a gain of its own."""
    key = digest(["image", number, gain])
    z, y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in (10, 24, 24)), indexing="ij")
    tissue = np.where(z**2 + y**2 + x**2 < 0.6, 100.0 + 40.0 * x, 5.0) * gain
    noise = np.random.default_rng(number).normal(0, 3 * gain, tissue.shape)
    with store.write(
        stage="ingest", key=key, subject=f"C-{number}", settings={}, inputs={}, source="", versions={}
    ) as f:
        write_volume(f / "mr.zarr", Volume(np.abs(tissue + noise).astype(np.float32), (3.0, 2.0, 2.0)))
    return Case(id=f"C-{number}", patient=f"P-{number}", digest=digest(number), keys={"ingest": key})


def prepared(here: Here, cases: Sequence[Case], *names: str) -> Prepared:
    return prepare_for_models(cast(Any, here), cases, FOLDS, study(*names), image="mr")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> ArtifactStore:
    return ArtifactStore(tmp_path_factory.mktemp("store"))


def test_the_held_out_patients_leave_what_their_fold_learns(tmp_path: Path) -> None:
    """Fold 2 holds out patients 1 and 4: whatever they are, its landmarks and its training images stay."""
    found = []
    for name, gain in (("one", 1.0), ("other", 9.0)):
        store = ArtifactStore(tmp_path / name)
        cases = [ingested(store, n, gain if n in (1, 4) else 1.0 + n / 10) for n in range(6)]
        found.append(prepared(Here(store), cases, "nyul"))
    one, other = found
    assert one.fitted["fold 2"] == other.fitted["fold 2"]
    for name in ("fold 1", "fold 3", "refit"):
        assert one.fitted[name] != other.fitted[name]
    trained = [n for n in range(6) if n not in (1, 4)]
    keys = [[p.for_model("fold 2")[n].keys["normalize"] for n in trained] for p in found]
    assert keys[0] == keys[1]


def test_each_case_is_scored_as_its_own_fold_normalized_it(store: ArtifactStore) -> None:
    cases = [ingested(store, n, 1.0 + n / 10) for n in range(6)]
    ready = prepared(Here(store), cases, "nyul")
    assert sorted(ready.by_model) == ["fold 1", "fold 2", "fold 3", "refit"]
    for number, case in enumerate(ready.to_be_scored(FOLDS)):
        assert case == ready.for_model(f"fold {number % 3 + 1}")[number]


def test_a_night_prepares_a_new_case_with_what_the_model_s_patients_taught(store: ArtifactStore) -> None:
    ready = prepared(Here(store), [ingested(store, n, 1.0 + n / 10) for n in range(6)], "nyul")
    stranger = ingested(store, 7)
    (alone,) = prepare_cases(
        cast(Any, Here(store)), [stranger], study("nyul"), image="mr", fitted=ready.fitted["refit"]
    )
    artifact = store.find("normalize", alone.keys["normalize"])
    assert artifact is not None
    assert artifact.commit.inputs["fitted"] == ready.fitted["refit"]


def test_steps_before_the_one_that_learns_are_done_before_it_measures(store: ArtifactStore) -> None:
    cases = [ingested(store, n, 1.0 + n / 10) for n in range(6)]
    plain, smoothed = prepared(Here(store), cases, "nyul"), prepared(Here(store), cases, "gaussian", "nyul")
    assert plain.fitted["refit"] != smoothed.fitted["refit"]


def test_where_nothing_learns_each_case_is_prepared_once(store: ArtifactStore) -> None:
    cases = [ingested(store, n) for n in range(3)]
    here = Here(store)
    ready = prepared(here, cases, "zscore")
    assert [work.stage for work in here.works] == ["normalize"] * 3 + ["sample"] * 3 + ["extract"] * 3
    assert ready.for_model("fold 1") is ready.for_model("refit") is ready.cases
    assert ready.to_be_scored(FOLDS) == ready.cases
    assert not ready.fitted


def test_a_case_that_falls_out_for_one_model_is_out_for_all(store: ArtifactStore) -> None:
    cases = [ingested(store, n, 1.0 + n / 10) for n in range(6)]
    fits = Here(store)
    second = prepared(fits, cases, "nyul").fitted["fold 2"]
    lost = Here(store, lambda work: work.subject == "C-3" and work.inputs.get("fitted") == second)
    ready = prepared(lost, cases, "nyul")
    assert all("C-3" not in {case.id for case in ready.for_model(name)} for name in ready.by_model)
    assert len(ready.to_be_scored(FOLDS)) == 5


def test_what_was_learnt_stands_in_the_key_and_can_be_read_again(store: ArtifactStore) -> None:
    here = Here(store)
    ready = prepared(here, [ingested(store, n, 1.0 + n / 10) for n in range(6)], "nyul")
    fits = {work.subject: work.key for work in here.works if work.stage == "fit"}
    for name, facts in ready.fitted.items():
        assert json.loads((store.open("fit", fits[name]) / "fitted.json").read_text()) == facts
    normalized = [work for work in here.works if work.stage == "normalize"]
    assert len({work.key for work in normalized}) == 4 * 6


def test_where_a_fold_loses_all_its_patients_its_model_learns_from_the_others(store: ArtifactStore) -> None:
    """Then its training patients are everyone's who are left, and one fit answers for both."""
    cases = [ingested(store, n, 1.0 + n / 10) for n in range(3)]
    lost = Here(store, lambda work: work.stage == "measure" and work.subject == "C-2")
    ready = prepared(lost, cases, "nyul")
    assert ready.fitted["fold 3"] == ready.fitted["refit"] != ready.fitted["fold 1"]
    assert [case.id for case in ready.to_be_scored(FOLDS)] == ["C-0", "C-1"]


def test_where_no_case_is_left_nothing_is_learnt(store: ArtifactStore) -> None:
    ready = prepared(Here(store), [], "nyul")
    assert ready.to_be_scored(FOLDS) == []
