"""Models that look at patches, from normalized images to findings: they compete, win, are kept, and are applied."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from shutil import copytree
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from flows.preparing import Prepared
from flows.training import Models, train_models
from storage.artifacts import ArtifactStore, checksums
from storage.case import Case
from storage.errors import StoreError
from storage.keys import digest
from storage.ome_zarr import write_volume
from storage.volume import Volume
from tasks.detect.settings import Settings as DetectSettings
from tasks.detect.task import plan as plan_detect
from tasks.detect.task import task_of
from tasks.imaging.candidate_files import write_candidates
from tasks.imaging.candidate_set import CandidateSet, Piece
from tasks.leakage import Gate, LeakageError
from tasks.split.folds import Folds
from tasks.task import GPU, Outcome, StageTask, Work, hand_over
from tasks.train import live_task, patch_model_task
from tasks.train.settings import Settings

SPACING = (2.0, 1.0, 1.0)
LESION, STREAKS = (5, 10, 10), ((5, 30, 10), (5, 20, 30), (5, 9, 34))
SEEN = {"patch": {"size": [6, 10, 10]}, "per_lesion": 6, "hard": 4, "background_least": 6, "jitter_mm": 1.0}
NETWORK = {
    "model": "cnn3d",
    "inner_folds": 2,
    "held_out": 0.0,
    "patches": SEEN | {"show_candidate": True},
    "options": {"width": 4, "levels": 2, "depth": 1, "dropout": 0.0},
    "augmentation": {},
    "engine": {"epochs": 5, "batch": 8, "learning_rate": 0.02, "precision": "float32", "examine_every": 5},
}
CASCADE = {
    "model": "haar_cascade",
    "inner_folds": 2,
    "patches": SEEN | {"jitter_mm": 0.0},
    "options": {"candidates": 300, "stages": 1, "stumps": 4, "fewest": 5, "scales": [1.0]},
}
SETTINGS = Settings.model_validate(
    {"models": ["logistic"], "inner_folds": 2, "false_positive_ml": 0.0, "on_patches": [NETWORK, CASCADE]}
)
FOLDS = Folds(2, {f"P-{n}": n % 2 for n in range(6)}, groups={f"C-{n}": f"P-{n}" for n in range(6)})


def put(store: ArtifactStore, stage: str, content: Any, write: Callable[[Path], object]) -> str:
    """Commit an artifact under a key of its content."""
    key = digest([stage, content])
    marks: dict[str, Any] = {"inputs": {}, "settings": {}, "source": "s", "versions": {}}
    with store.write(stage=stage, key=key, subject="C", **marks) as folder:
        write(folder)
    return key


def make_case(store: ArtifactStore, number: int, *, noise: bool = False) -> Case:
    """A ball that is the lesion, and three streaks as bright; features that say nothing.

    ``noise``: the image is nothing but noise.
    """
    rng = np.random.default_rng(number)
    image = rng.normal(0, 0.3, (11, 40, 44)).astype(np.float32)
    z, y, x = np.indices(image.shape)
    ball = 4 * (z - LESION[0]) ** 2 + (y - LESION[1]) ** 2 + (x - LESION[2]) ** 2 <= 16
    if not noise:
        image[ball] += 3
        for a, b, c in STREAKS:
            image[a, b, c - 7 : c + 7] += 6
    volume = Volume(image, SPACING, (1.0, 2.0, 3.0), unit="SUV")
    masks = [ball, *((np.abs(z - a) < 1) & (np.abs(y - b) < 2) & (np.abs(x - c) < 6) for a, b, c in STREAKS)]
    boxes = [tuple(slice(int(n.min()), int(n.max()) + 1) for n in np.nonzero(mask)) for mask in masks]
    pieces = [Piece("component", 1.0, cast(Any, box), mask[box]) for box, mask in zip(boxes, masks, strict=True)]
    candidates = CandidateSet.from_pieces(pieces, image, voxel_ml=volume.voxel_ml, scores=[3.0, 5.0, 5.0, 5.0])

    def ingest(folder: Path) -> None:
        write_volume(folder / "pet.zarr", volume)
        about = {"instances": [f"2.25.{n}" for n in range(11)], "crop_start_zyx": [0, 0, 0]}
        (folder / "facts.json").write_text(json.dumps({"pet": about}))

    def sample(folder: Path) -> None:
        write_candidates(folder, candidates)
        write_volume(folder / "body.zarr", volume.with_array(np.ones(image.shape, np.uint8), unit="label"))

    def annotate(folder: Path) -> None:
        write_volume(folder / "lesions.zarr", volume.with_array(ball.astype(np.uint16), unit="label"))
        (folder / "facts.json").write_text(json.dumps({"lesions": 1, "volumes_ml": [0.1]}))

    features = pd.DataFrame(rng.normal(size=(4, 2)), columns=["first", "second"]).assign(number=range(1, 5))
    keys = {
        "ingest": put(store, "ingest", [number, noise], ingest),
        "normalize": put(store, "normalize", [number, noise], lambda f: write_volume(f / "image.zarr", volume)),
        "sample": put(store, "sample", [number, noise], sample),
        "annotate": put(store, "annotate", number, annotate),
        "extract": put(store, "extract", number, lambda f: features.to_parquet(f / "features.parquet")),
    }
    return Case(id=f"C-{number}", patient=f"P-{number}", digest=digest([number, noise]), keys=keys)


class Here:
    """Does work in this process, each piece once; of trainings only those of one model, if it is told which."""

    def __init__(self, store: ArtifactStore, only: str = "") -> None:
        self.store, self.only = store, only

    def all(self, task: StageTask, works: Sequence[Work]) -> list[Outcome]:
        return [self._done(task, work) for work in works]

    def _done(self, task: StageTask, work: Work) -> Outcome:
        if work.stage != "patches" and not work.subject.endswith(self.only):
            return Outcome(work.stage, work.key, work.subject, cached=False, seconds=0.0)
        return cast(Outcome, task.fn(*hand_over(work, self.store)).result())


def train(store: ArtifactStore, cases: Sequence[Case], settings: Settings = SETTINGS, *, only: str = "") -> Models:
    study = SimpleNamespace(name="patches", train=settings, detect=DetectSettings())
    return train_models(cast(Any, Here(store, only)), Prepared(list(cases)), FOLDS, cast(Any, study))


def card(store: ArtifactStore, key: str) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((store.open("train", key) / "card.json").read_text())
    return told


def detected(store: ArtifactStore, case: Case, model: str) -> list[dict[str, Any]]:
    work = plan_detect(case, DetectSettings(), image="pet", model=model)
    task_of(store, [model]).fn(*hand_over(work, store))
    found: list[dict[str, Any]] = json.loads((store.open("detect", work.key) / "findings.json").read_text())
    return found


@pytest.fixture(scope="module", autouse=True)
def no_dashboard() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("create_progress_artifact", "update_progress_artifact", "create_table_artifact"):
            patch.setattr(live_task, name, lambda **_given: "id")
        yield


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> ArtifactStore:
    return ArtifactStore(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="module")
def cases(store: ArtifactStore) -> list[Case]:
    return [make_case(store, number) for number in range(6)]


@pytest.fixture(scope="module")
def models(store: ArtifactStore, cases: list[Case]) -> Models:
    return train(store, cases)


def test_a_model_that_looks_wins_where_features_say_nothing(store: ArtifactStore, models: Models) -> None:
    for key in models.by_name.values():
        told = card(store, key)
        assert set(told["scores"]) == {"logistic", "cnn3d", "haar_cascade"}
        assert told["model"] in ("cnn3d", "haar_cascade")
        assert told["scores"][told["model"]]["cpm"] == max(score["cpm"] for score in told["scores"].values()) == 1
        assert (told["columns"], told["importance"], told["selection"]["features"]) == ([], {}, [])


def test_the_curve_of_a_network_is_that_of_its_training_on_all_patients(store: ArtifactStore, models: Models) -> None:
    network, cascade = (
        next(one for one in store.artifacts() if one.commit.subject == f"{name} fold 1")
        for name in ("cnn3d", "haar_cascade")
    )
    events = EventAccumulator(str(network.folder / "curves"))
    events.Reload()
    assert [one.step for one in events.Scalars("training/loss")] == [1, 2, 3, 4, 5]
    assert not (cascade.folder / "curves").exists()


@pytest.mark.parametrize("entry", [NETWORK, CASCADE], ids=["cnn3d", "haar_cascade"])
def test_the_lesion_of_a_patient_never_seen_is_found_before_any_streak(
    store: ArtifactStore, cases: list[Case], models: Models, entry: dict[str, Any]
) -> None:
    alone = SETTINGS.model_copy(update={"on_patches": Settings.model_validate({"on_patches": [entry]}).on_patches})
    fitted = train(store, cases, alone)  # patches and fitted models come from the store: those of all three
    key = fitted.folds[0]
    assert card(store, key)["model"] == entry["model"]
    assert not (store.open("train", key) / "model.skops").exists()
    found, *_ = detected(store, cases[0], key)  # its patient is in fold 1
    assert np.abs(np.array(found["voxel"]) - LESION).max() <= 3
    assert 0 < found["confidence"] < 1


def test_noise_in_place_of_the_held_out_patients_changes_nothing_that_is_fitted(
    store: ArtifactStore, models: Models, tmp_path: Path
) -> None:
    noisy = ArtifactStore(tmp_path)
    other = train(noisy, [make_case(noisy, n, noise=n % 2 == 1) for n in range(6)], only="fold 2")
    assert models.folds[1] == other.folds[1]
    one, two = (checksums(kept.open("train", models.folds[1])) for kept in (store, noisy))
    assert one == two
    assert models.folds[0] != other.folds[0]  # this one was trained on the noise


def test_a_group_on_both_sides_stops_the_training_before_it_begins(cases: list[Case]) -> None:
    gate = Gate({"C-0", "C-1"}, {"C-2"}, {"C-0": "P-0", "C-1": "P-1", "C-2": "P-0"})
    with pytest.raises(LeakageError, match="share a group: C-0 and C-2"):
        patch_model_task.plan(cases[:2], SETTINGS.on_patches[0], patches={}, gate=gate, subject="fold 1")


def test_a_model_is_trained_again_when_its_settings_or_patients_change_and_not_when_others_do(
    cases: list[Case],
) -> None:
    def key(chosen: Sequence[Case], entry: Any, patches: str = "p") -> str:
        made = {case.id: patches for case in cases}
        return patch_model_task.plan(chosen, entry, patches=made, gate=Gate((), (), {}), subject="refit").key

    network, cascade = SETTINGS.on_patches
    base = key(cases, network)
    assert base == key(cases[::-1], network)
    others = [
        key(cases[1:], network),
        key(cases, cascade),
        key(cases, network, "q"),
        key(cases, network.model_copy(update={"seed": 1})),
    ]
    assert len({base, *others}) == 5


def test_a_network_belongs_on_a_gpu_and_a_cascade_does_not(
    store: ArtifactStore, models: Models, cases: list[Case]
) -> None:
    tags = [GPU in patch_model_task.task_of(entry).tags for entry in SETTINGS.on_patches]
    assert tags == [True, False]
    plain = train(store, cases, SETTINGS.model_copy(update={"on_patches": ()}))
    for entry in ("cnn3d", "haar_cascade"):
        key = next((key for key in models.folds if card(store, key)["model"] == entry), None)
        assert key is None or (GPU in task_of(store, [plain.folds[0], key]).tags) == (entry == "cnn3d")
    assert GPU not in task_of(store, plain.folds).tags


def test_a_network_that_was_changed_after_its_commit_detects_nothing(
    store: ArtifactStore, models: Models, cases: list[Case], tmp_path: Path
) -> None:
    again = ArtifactStore(copytree(store.root, tmp_path / "again"))
    key = models.folds[0]
    file = next((again.open("train", key) / "on_patches").glob("*.json"))
    file.write_text(file.read_text().replace("1", "2"))
    with pytest.raises(StoreError, match=r"is not what was committed: on_patches/\w+\.json has changed"):
        detected(again, cases[0], key)


def test_patients_without_lesions_teach_nothing_and_the_study_says_so(store: ArtifactStore, cases: list[Case]) -> None:
    settings = SETTINGS.model_copy(
        update={
            "on_patches": tuple(
                entry.model_copy(update={"patches": entry.patches.model_copy(update={"per_lesion": 0})})
                for entry in SETTINGS.on_patches[:1]
            )
        }
    )
    models = train(store, cases, settings)
    assert models.refit is None
    assert models.note is not None
    assert models.note.startswith("nothing is trained: cnn3d fold 1: 0 of ")


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([{"model": "unet"}], "no model 'unet' on patches; choose from: cnn3d, haar_cascade"),
        ([{"model": "haar_cascade"}, {"model": "haar_cascade"}], "each model on patches once"),
        ([{"model": "haar_cascade", "engine": {}}], "Extra inputs"),
        ([{"model": "cnn3d", "options": {"wide": 3}}], "Extra inputs"),
        (
            [{"model": "haar_cascade", "patches": {"patch": {"form": "planes"}}}],
            "haar_cascade takes patches of the form 2-D, slices, 3-D; got planes",
        ),
        ([{"model": "haar_cascade", "patches": {"show_candidate": True}}], "haar_cascade looks at the image alone"),
    ],
)
def test_what_cannot_be_trained_is_refused_before_work_starts(entries: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Settings.model_validate({"on_patches": entries})
