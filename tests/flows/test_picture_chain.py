"""The chain over pictures in one process: what synthetic pictures enter and what not, and what a night computes."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from PIL import Image

from flows import pictures
from flows.dispatch import Dispatch
from flows.known_cases import learned_from
from flows.pictures import learn_pictures, night_settings, screen_pictures
from flows.settings import PictureStudySettings
from flows.summary import RunSummary
from storage.artifacts import ArtifactStore
from storage.models import ModelRegistry
from tasks.imaging.picture_files import read_picture_table
from tasks.task import Outcome, StageTask, Work, hand_over
from tasks.train import live_task

COUNTS = {"rare": 9, "usual": 15}
STUDY = PictureStudySettings.model_validate(
    {
        "kind": "pictures",
        "name": "shapes",
        "ingest": {"buckets": 2},
        "split": {"folds": 3},
        "normalize": {"size": 32},
        "train": {
            "models": ("small_cnn", "logistic"),
            "families": ("first_order",),
            "learning": {"small_cnn": {"input_px": 16, "epochs": 1, "feature_share": 0, "held_out": 0.2}},
            "synthesis": {
                "steps": 2,
                "batch": 4,
                "discriminator_steps": 1,
                "record_every": 1,
                "size_px": 16,
                "held_out": 0.25,
                "augment": True,
                "network": {"width": 8, "widest": 8, "latent": 4},
            },
        },
        "evaluate": {"draws": 100},
        "report": {"gallery": 2},
    }
)
KEY = b"a secret that only the tests know"


@dataclass
class Here(Dispatch):
    """Does work in this process, and keeps what was asked for."""

    works: list[Work] = field(default_factory=list)

    def all(self, task: StageTask, works: Sequence[Work]) -> list[Outcome]:
        self.works += works
        return [cast(Any, task).fn(*hand_over(work, self.store)).result() for work in works]

    def of(self, stage: str) -> list[Work]:
        return [work for work in self.works if work.stage == stage]


def fill(folder: Path, counts: dict[str, int], *, seed: int = 0) -> Path:
    """One folder per class: a disc that is bright above (rare) or below, in coarse noise."""
    y, x = np.mgrid[:48, :48]
    disc = np.hypot(y - 24, x - 24) < 21
    for label, count in counts.items():
        (folder / label).mkdir(parents=True)
        for number in range(count):
            noise = np.random.default_rng([seed, len(label), number]).normal(0, 40, (8, 8)).repeat(6, 0).repeat(6, 1)
            grey = disc * (90 + 70 * ((y < 24) == (label == "rare")) + noise)
            Image.fromarray(np.clip(grey, 0, 255).astype(np.uint8)).save(folder / label / f"{number}.png")
    return folder


@pytest.fixture(scope="module")
def quiet() -> Any:
    """No dashboard and no outbox; the accounts go into the summary."""

    def publish(run: Any, report_key: str, accounts: Any, *_: Any) -> RunSummary:
        return RunSummary(run="r", study="s", received=accounts.received, analysed=accounts.analysed, report=report_key)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pictures, "publish", publish)
        patch.setattr(pictures.ingest, "receive", pictures.ingest.receive.fn)
        for name in ("create_progress_artifact", "update_progress_artifact", "create_table_artifact"):
            patch.setattr(live_task, name, lambda **_given: "id")
        yield


def opened(store: ArtifactStore) -> Any:
    ledger, planned = SimpleNamespace(record=lambda *_: None), Counter[str]()
    progress = SimpleNamespace(plan=lambda phases: [planned.update(phase) for phase in phases])
    here = Here("r", store, cast(Any, ledger), cast(Any, progress), {})
    return SimpleNamespace(store=store, dispatch=here, planned=planned)


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory, quiet: None) -> tuple[Any, RunSummary]:
    """The study, learned: its run and summary."""
    run = opened(ArtifactStore(tmp_path_factory.mktemp("store")))
    return run, learn_pictures(run, str(fill(tmp_path_factory.mktemp("inbox"), COUNTS)), STUDY, KEY)


def stored(run: Any, stage: str, name: str) -> Any:
    """The JSON of the last artifact of a stage."""
    return json.loads((run.store.open(stage, run.dispatch.of(stage)[-1].key) / name).read_text())


def test_each_fold_and_the_refit_learn_from_pictures_of_their_own_generator(learned: tuple[Any, RunSummary]) -> None:
    run, _ = learned
    generators = {work.inputs["fold"]: work.key for work in run.dispatch.of("synthesize")}
    assert set(generators) == {0, 1, 2, None}
    trained = [work for work in run.dispatch.of("train") if "synthetic" in work.inputs]
    assert len(trained) == 8
    for work in trained:
        assert work.inputs["synthetic"]["synthesize"] == generators[work.inputs["fold"]]
    assert stored(run, "judge_synthesis", "judgement.json")["class_name"] == "rare"


def test_the_forecast_is_what_comes(learned: tuple[Any, RunSummary]) -> None:
    run, _ = learned
    assert +run.planned == Counter(work.stage for work in run.dispatch.works)


def test_nothing_synthetic_is_counted_classified_or_scored(learned: tuple[Any, RunSummary]) -> None:
    run, summary = learned
    real = sum(COUNTS.values())
    assert (summary.received, summary.analysed) == (real, real)
    made = {
        case
        for work in run.dispatch.of("synthesize")
        for case in read_picture_table(run.store.open("synthesize", work.key))["case"]
    }
    assert len(made) > 0
    for stage in ("detect", "evaluate", "draw", "split", "extract"):
        for work in run.dispatch.of(stage):
            assert "synthe" not in json.dumps(work.inputs)
    predicted = [
        case
        for work in run.dispatch.of("detect")
        for case in json.loads((run.store.open("detect", work.key) / "predictions.json").read_text())
    ]
    assert len(predicted) == real
    assert made.isdisjoint(predicted)
    assert stored(run, "evaluate", "evaluation.json")["metrics"]["accuracy"]["n"] == real
    assert len(stored(run, "report", "findings.json")) == real


def test_the_page_has_the_section_and_says_that_models_learned_from_them(learned: tuple[Any, RunSummary]) -> None:
    run, summary = learned
    page = (run.store.open("report", summary.report) / "report.html").read_text()
    assert "Synthetic pictures of rare" in page
    assert "The models of this study learned from them too" in page
    assert "#section-synthesis" in page


def test_the_card_counts_groups_and_no_patients_where_nobody_knows_them(learned: tuple[Any, RunSummary]) -> None:
    run, _ = learned
    [card] = ModelRegistry(run.store.root).get("shapes").cards.values()
    assert (card.patients, card.groups, card.cases) == (None, sum(COUNTS.values()), sum(COUNTS.values()))


def test_a_scored_night_over_what_the_model_learned_from_says_that_it_is_no_test(
    learned: tuple[Any, RunSummary], tmp_path: Path
) -> None:
    run, _ = learned
    night = night_settings(STUDY.model_dump())
    model = ModelRegistry(run.store.root).get("shapes").aliases["production"]
    again, other = fill(tmp_path / "again", COUNTS), fill(tmp_path / "other", {"rare": 2}, seed=1)
    notes: dict[str, list[str]] = {}
    for name, inbox, score in (("scored", again, True), ("not scored", again, False), ("other", other, True)):
        tonight = opened(run.store)
        screen_pictures(tonight, str(inbox), night, KEY, model=model, score=score, quiet_seconds=0)
        [report] = tonight.dispatch.of("report")
        notes[name] = [note for note in report.inputs["notes"] if "no test" in note]
    warning = "24 of 24 cases are among those that the model learned from: figures over them are no test."
    assert notes == {"scored": [warning], "not scored": [], "other": []}


def test_the_model_of_a_fold_has_not_learned_from_the_fold(learned: tuple[Any, RunSummary]) -> None:
    run, _ = learned
    split = stored(run, "split", "folds.json")["folds"]
    for work in run.dispatch.of("train"):
        if "fold" in work.inputs:
            assert learned_from(run.store, work.key) == {c for c, fold in split.items() if fold != work.inputs["fold"]}


def test_a_night_extracts_features_only_for_a_model_that_asks_for_them(
    learned: tuple[Any, RunSummary], tmp_path: Path
) -> None:
    run, _ = learned
    inbox = str(fill(tmp_path / "inbox", {"rare": 2}, seed=1))
    together = run.dispatch.of("train")[-1]
    night: dict[str, Counter[str]] = {}
    for name, model in {"both": together.key, **together.inputs["members"]}.items():
        tonight = opened(run.store)
        screen_pictures(
            tonight, inbox, night_settings(STUDY.model_dump()), KEY, model=model, score=False, quiet_seconds=0
        )
        night[name] = Counter(work.stage for work in tonight.dispatch.works)
        assert night[name]["detect"] == night[name]["ingest"]
        assert night[name] - tonight.planned == Counter(extract=night[name]["extract"])
    extracted = {name: stages["extract"] == stages["detect"] for name, stages in night.items()}
    assert extracted == {"both": True, "logistic": True, "small_cnn": False}
    assert night["small_cnn"]["extract"] == 0
