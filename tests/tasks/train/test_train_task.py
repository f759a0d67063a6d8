"""The stage in the store: a fold's model never depends on the patients that it will be tested on."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest

from flows.dispatch import StageFailedError
from flows.preparing import Prepared
from flows.training import Models, train_models
from storage.artifacts import ArtifactStore
from storage.case import Case
from storage.classical import load_model
from storage.errors import StoreError
from storage.keys import digest
from storage.ome_zarr import write_volume
from storage.volume import Volume
from tasks.detect.settings import Settings as DetectSettings
from tasks.imaging.candidate_files import write_candidates
from tasks.imaging.candidate_set import CandidateSet, Piece
from tasks.leakage import Gate, LeakageError, Pair
from tasks.split.folds import Folds
from tasks.task import Outcome, StageTask, Work, hand_over
from tasks.train.settings import Settings
from tasks.train.task import plan, train_model

GRID = Volume(np.zeros((4, 8, 40), np.uint8), (2.0, 2.0, 2.0), unit="label")
STARTS = range(0, 40, 5)
"""Eight candidates of 2×4×4 voxels in a row; the first is the lesion."""
GROUPS = {f"C-{n}": f"P-{n}" for n in range(6)} | {"C-8": "P-1"}
FOLDS = Folds(3, {f"P-{n}": n % 3 for n in range(6)}, groups=GROUPS)
SETTINGS = Settings(options={"random_forest": {"trees": 10}})
OPEN = Gate((), (), {})
ROWS = np.random.default_rng(9).normal(size=(40, 3))


def put(store: ArtifactStore, stage: str, content: Any, write: Callable[[Path], object]) -> str:
    """Commit an artifact under a key of its content."""
    key = digest([stage, content])
    marks: dict[str, Any] = {"inputs": {}, "settings": {}, "source": "s", "versions": {}}
    with store.write(stage=stage, key=key, subject="C", **marks) as folder:
        write(folder)
    return key


def candidates() -> CandidateSet:
    boxes = [(slice(0, 2), slice(0, 4), slice(x, x + 4)) for x in STARTS]
    pieces = [Piece("component", 1.0, box, np.ones((2, 4, 4), dtype=bool)) for box in boxes]
    return CandidateSet.from_pieces(pieces, GRID.array, voxel_ml=1.0, scores=[1.0] * len(pieces))


def make_case(store: ArtifactStore, number: int, *, noise: int = 0, annotated: bool = True, patient: int = -1) -> Case:
    """Case ``number`` of its own patient; ``noise`` replaces its features by others."""
    features = np.random.default_rng([number, noise]).normal(size=(len(STARTS), 3)) + (100.0 if noise else 0.0)
    if not noise:
        features[0, 0] += 6.0
    table = pd.DataFrame(features, columns=["first", "second", "third"])
    table.insert(0, "number", np.arange(1, len(STARTS) + 1))

    def sample(folder: Path) -> None:
        write_candidates(folder, candidates())
        write_volume(folder / "body.zarr", GRID)

    def annotate(folder: Path) -> None:
        if not annotated:
            (folder / "facts.json").write_text(json.dumps({"lesions": None, "volumes_ml": None}))
            return
        lesions = np.zeros(GRID.shape, np.uint16)
        lesions[0:2, 0:4, 0:4] = 1
        write_volume(folder / "lesions.zarr", GRID.with_array(lesions))
        (folder / "facts.json").write_text(json.dumps({"lesions": 1, "volumes_ml": [0.256]}))

    keys = {
        "sample": put(store, "sample", number, sample),
        "annotate": put(store, "annotate", [number, annotated], annotate),
        "extract": put(store, "extract", [number, noise], lambda f: table.to_parquet(f / "features.parquet")),
    }
    return Case(id=f"C-{number}", patient=f"P-{patient if patient >= 0 else number}", digest=digest(number), keys=keys)


class Here:
    """Does work in this process; keeps what was asked for."""

    def __init__(self, store: ArtifactStore) -> None:
        self.store, self.works = store, list[Work]()

    def all(self, task: StageTask, works: Sequence[Work]) -> list[Outcome]:
        self.works += works
        return [cast(Outcome, task.fn(*hand_over(work, self.store)).result()) for work in works]


def train(store: ArtifactStore, cases: Sequence[Case], folds: Folds = FOLDS) -> Models:
    study = SimpleNamespace(name="volumes", train=SETTINGS, detect=DetectSettings())
    return train_models(cast(Any, Here(store)), Prepared(list(cases)), folds, cast(Any, study))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> ArtifactStore:
    return ArtifactStore(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="module")
def cases(store: ArtifactStore) -> list[Case]:
    return [make_case(store, number) for number in range(6)]


def predictions(store: ArtifactStore, key: str) -> bytes:
    return bytes(load_model(store.open("train", key) / "model.skops").predict_proba(ROWS).tobytes())


def card(store: ArtifactStore, key: str) -> bytes:
    return (store.open("train", key) / "card.json").read_bytes()


# Nothing fitted sees the held-out fold


def test_noise_in_the_held_out_fold_leaves_its_model_threshold_and_card(tmp_path: Path) -> None:
    """Two stores, so that nothing of the second comes from the first; fold 2 holds out patients 1 and 4."""
    clean, noisy = ArtifactStore(tmp_path / "clean"), ArtifactStore(tmp_path / "noisy")
    one = train(clean, [make_case(clean, n) for n in range(6)])
    other = train(noisy, [make_case(noisy, n, noise=7 if n in (1, 4) else 0) for n in range(6)])
    assert one.folds[1] == other.folds[1]
    assert card(clean, one.folds[1]) == card(noisy, other.folds[1])
    assert predictions(clean, one.folds[1]) == predictions(noisy, other.folds[1])
    assert json.loads(card(clean, one.folds[1]))["threshold"] > 0
    for name in ("fold 1", "fold 3", "refit"):  # these were trained on the noise
        assert one.by_name[name] != other.by_name[name]
        assert card(clean, one.by_name[name]) != card(noisy, other.by_name[name])


def test_the_key_of_a_model_names_its_training_patients_alone(store: ArtifactStore, cases: list[Case]) -> None:
    here = Here(store)
    study = SimpleNamespace(name="volumes", train=SETTINGS, detect=DetectSettings())
    train_models(cast(Any, here), Prepared(cases), FOLDS, cast(Any, study))
    seen = {work.subject: {member["patient"] for member in work.inputs["cases"]} for work in here.works}
    everyone = {f"P-{n}" for n in range(6)}
    assert seen == {f"fold {k + 1}": everyone - {f"P-{k}", f"P-{k + 3}"} for k in range(3)} | {"refit": everyone}
    held_out = next(case for case in cases if case.patient == "P-1")
    (work,) = [work for work in here.works if work.subject == "fold 2"]
    assert not any(value in json.dumps(work.inputs) for value in (held_out.digest, *held_out.keys.values()))


def test_a_case_is_scored_by_the_model_of_its_own_fold(store: ArtifactStore, cases: list[Case]) -> None:
    models = train(store, cases)
    assert [models.of(case) for case in cases] == [models.folds[n % 3] for n in range(6)]
    stranger = make_case(store, 9, annotated=False)
    assert models.of(stranger) == models.refit
    assert models.by_name == {
        "fold 1": models.folds[0],
        "fold 2": models.folds[1],
        "fold 3": models.folds[2],
        "refit": models.refit,
    }


def test_a_model_on_patches_that_was_changed_after_its_commit_does_not_compete(
    store: ArtifactStore, cases: list[Case]
) -> None:
    key = put(store, "patch_model", "net", lambda folder: (folder / "held_out.json").write_text("{}"))
    (store.open("patch_model", key) / "held_out.json").write_text("{ }")
    work = plan(cases, SETTINGS, gate=OPEN, subject="refit", most=None, on_patches={"cnn3d": key})
    with pytest.raises(StoreError, match=r"is not what was committed: held_out\.json has changed"):
        train_model.fn(*hand_over(work, store))


# The key


def test_the_key_follows_what_the_model_is_made_of(cases: list[Case]) -> None:
    base = plan(cases, SETTINGS, gate=OPEN, subject="refit", most=None)
    same = plan(cases[::-1], SETTINGS, gate=OPEN, subject="fold 1", most=None)
    renamed = [case.model_copy(update={"id": f"C-{case.id}"}) for case in cases]
    assert base.key == same.key == plan(renamed, SETTINGS, gate=OPEN, subject="refit", most=None).key
    others = [
        plan(cases[1:], SETTINGS, gate=OPEN, subject="refit", most=None),
        plan(cases, SETTINGS, gate=OPEN, subject="refit", most=1),
        plan(cases, SETTINGS.model_copy(update={"fp_per_scan": 2.0}), gate=OPEN, subject="refit", most=None),
        plan([*cases[1:], cases[0].with_key("extract", "other")], SETTINGS, gate=OPEN, subject="refit", most=None),
        plan([*cases[1:], cases[0].with_key("annotate", "other")], SETTINGS, gate=OPEN, subject="refit", most=None),
    ]
    assert len({base.key, *(work.key for work in others)}) == 6


def test_the_card_tells_what_the_model_learnt(store: ArtifactStore, cases: list[Case]) -> None:
    models = train(store, cases)
    assert models.refit is not None
    told = json.loads(card(store, models.refit))
    assert (told["patients"], told["candidates"], told["positives"]) == (6, 48, 6)
    assert told["columns"] == ["first", "second", "third"]  # the candidate's number is no feature
    assert set(told["scores"]) == {"random_forest", "logistic"}
    assert next(iter(told["importance"])) == "first"
    scores = load_model(store.open("train", models.refit) / "model.skops").predict_proba([[6.0, 0, 0], [0, 0, 0]])[:, 1]
    assert scores[0] > 0.5 > scores[1]


# The leakage gate


def test_patients_that_show_the_same_are_never_on_both_sides(store: ArtifactStore, cases: list[Case]) -> None:
    twice = Folds(
        3, FOLDS.patients, groups={case.id: case.patient for case in cases}, pairs=(Pair("C-0", "C-4", 0.99),)
    )
    with pytest.raises(LeakageError, match=r"share a group: C-0 and C-4 \(correlation 0.99\)"):
        train(store, cases, twice)


def test_an_examination_in_the_wrong_group_stops_the_training(store: ArtifactStore, cases: list[Case]) -> None:
    torn = Folds(3, FOLDS.patients, groups={case.id: "P-0" if case.id == "C-1" else case.patient for case in cases})
    with pytest.raises(LeakageError, match="training and test share a group: C-1 and C-0"):
        train(store, cases, torn)


# Cohorts with gaps


def test_an_examination_that_nobody_annotated_teaches_nothing_though_its_patient_does(
    store: ArtifactStore, cases: list[Case]
) -> None:
    later = make_case(store, 8, annotated=False, patient=1)
    models, without = train(store, [*cases, later]), train(store, cases)
    assert models == without
    assert models.of(later) == models.folds[1]  # and it is scored by the model that never saw its patient


def test_nothing_is_trained_where_exclusions_leave_too_few(store: ArtifactStore, cases: list[Case]) -> None:
    models = train(store, cases[:2], Folds(3, {"P-0": 0, "P-1": 1, "P-2": 2}, groups=GROUPS))
    assert (models.folds, models.refit) == ((), None)
    assert models.note == "nothing is trained: exclusions leave fewer than 2 patients to train fold 1"
    with pytest.raises(StageFailedError, match="no model may score C-0: nothing is trained"):
        models.of(cases[0])


def test_the_note_of_split_says_why_nothing_is_trained(store: ArtifactStore, cases: list[Case]) -> None:
    assert train(store, cases, Folds(0, {}, "too few")) == Models(note="too few")


def test_a_training_that_fails_stops_the_run_and_says_which(
    store: ArtifactStore, cases: list[Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = Outcome("train", "k", "fold 2", cached=False, seconds=0.0, failure="out of memory")
    monkeypatch.setattr(Here, "all", lambda self, task, works: [failed])
    with pytest.raises(StageFailedError, match="train fold 2: out of memory"):
        train(store, cases)
