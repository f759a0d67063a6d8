"""Synthetic pictures in the store: made per fold without it, marked, judged, shown, and learned from in that fold."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest
import zarr
from PIL import Image

from storage.artifacts import ArtifactStore
from storage.case import Batch, Case
from storage.errors import StoreError
from storage.keys import digest
from tasks.extract.picture_settings import PictureSettings as ExtractSettings
from tasks.extract.picture_task import describe_synthetic, plan_synthetic
from tasks.extract.pictures import picture_features
from tasks.imaging.picture_files import StoredPicture, read_pictures, write_pictures
from tasks.imaging.synthetic_mark import TEXT, bears_mark, origin_of
from tasks.leakage import LeakageError
from tasks.report.synthesis import render_synthesis, synthesis_part
from tasks.task import Outcome, StageTask, Work, hand_over
from tasks.train import live_task, picture_task, pipeline_task
from tasks.train.picture_settings import PictureTrainSettings
from tasks.train.synthesis.settings import SynthesisSettings
from tasks.train.synthesis.stored import read_synthetic
from tasks.train.synthesis_task import judge_folds, plan, plan_judge, rare_class, read_generator, synthesize_fold

SETTINGS = SynthesisSettings(
    method="wgan_gp",
    discriminator_steps=1,
    steps=2,
    batch=4,
    record_every=1,
    size_px=16,
    network={"width": 8, "widest": 8, "latent": 4},
)
LABELS = ["glioma"] * 9 + ["none"] * 21


TRAIN = PictureTrainSettings(
    models=("small_cnn", "logistic"),
    learning={"small_cnn": {"input_px": 16, "epochs": 1, "feature_share": 0, "batch": 8, "held_out": 0.2}},
    families=("first_order",),
    synthesis=SETTINGS.model_copy(update={"augment": True, "held_out": 0.25}),
)


def put(store: ArtifactStore, stage: str, write: Any) -> str:
    key = digest([stage])
    marks: dict[str, Any] = {"inputs": {}, "settings": {}, "source": "s", "versions": {}}
    with store.write(stage=stage, key=key, subject="bucket", **marks) as folder:
        write(folder)
    return key


def bucket(store: ArtifactStore, *, noise_in_fold: int | None = None) -> tuple[list[Batch], str]:
    """Thirty pictures in one bucket, in three folds; on demand one fold is noise."""
    rng = np.random.default_rng(0)
    pictures = []
    for number, label in enumerate(LABELS):
        grey = rng.integers(0, 60, size=(20, 24))
        grey[:10] += 120 if label == "glioma" else 0
        if number % 3 == noise_in_fold:
            grey = np.random.default_rng(number + 99).integers(0, 256, size=(20, 24))
        pixels = np.repeat(grey[..., None], 3, axis=2).astype(np.uint8)
        pictures.append(StoredPicture(f"{number:064x}", f"C-{number}", f"P-{number}", pixels))
    cases = tuple(Case(id=one.case, patient=one.patient, digest=one.digest) for one in pictures)
    named = {f"C-{number}": label for number, label in enumerate(LABELS)}
    split = {
        "classes": ["glioma", "none"],
        "folds": {case.id: number % 3 for number, case in enumerate(cases)},
        "groups": {case.id: number for number, case in enumerate(cases)},
    }
    keys = {
        "normalize": put(store, "normalize", lambda folder: write_pictures(folder, pictures)),
        "annotate": put(store, "annotate", lambda folder: (folder / "classes.json").write_text(json.dumps(named))),
    }
    folds = put(store, "split", lambda folder: (folder / "folds.json").write_text(json.dumps(split)))
    return [Batch(id="bucket 00", members=cases, keys=keys)], folds


def done(store: ArtifactStore, task: StageTask, work: Work) -> Path:
    outcome = cast(Outcome, task.fn(*hand_over(work, store)).result())
    assert outcome.verdict is None
    return store.open(work.stage, work.key)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> ArtifactStore:
    return ArtifactStore(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="module")
def made(store: ArtifactStore) -> dict[int, Path]:
    """The artifacts of all folds."""
    batches, folds = bucket(store)
    return {fold: done(store, synthesize_fold, plan(batches, SETTINGS, folds=folds, fold=fold)) for fold in range(3)}


@pytest.fixture(scope="module")
def judged(store: ArtifactStore, made: dict[int, Path]) -> Path:
    batches, folds = bucket(store)
    keys = {fold: folder.name for fold, folder in made.items()}
    return done(store, judge_folds, plan_judge(batches, SETTINGS, folds=folds, generators=keys))


def test_as_many_are_made_as_the_rare_class_lacks(made: dict[int, Path]) -> None:
    pictures = list(read_pictures(made[0]))
    assert len(pictures) == 14 - 6
    assert {one.patient for one in pictures} == {"synthetic"}
    assert {one.pixels.shape for one in pictures} == {(20, 24, 3)}  # as the study's own, though it learned 16 × 16


def test_each_is_marked_in_its_pixels_its_array_and_its_table(made: dict[int, Path]) -> None:
    pictures = list(read_pictures(made[0]))
    assert all(bears_mark(one.pixels) for one in pictures)
    mark: Any = zarr.open_array(made[0] / "pictures.zarr", mode="r").attrs[TEXT]
    assert mark["synthetic"] is True
    assert mark["model"] == made[0].name
    table = pd.read_parquet(made[0] / "provenance.parquet")
    assert table["digest"].tolist() == [one.digest for one in pictures]
    assert table["synthetic"].all()
    assert set(table["label"]) == {"glioma"}
    card = json.loads((made[0] / "network.json").read_text())["card"]
    assert card["synthetic"] is True
    assert card["class_names"] == ["glioma", "none"]


def test_the_fold_of_a_generator_is_not_even_read(tmp_path: Path, made: dict[int, Path]) -> None:
    noisy = ArtifactStore(tmp_path / "store")
    batches, folds = bucket(noisy, noise_in_fold=1)
    folder = done(noisy, synthesize_fold, plan(batches, SETTINGS, folds=folds, fold=1))
    assert (folder / "network.safetensors").read_bytes() == (made[1] / "network.safetensors").read_bytes()


def test_a_saved_generator_is_the_one_that_was_trained(made: dict[int, Path]) -> None:
    fitted = read_generator(made[2])
    assert fitted.shape == (16, 16)
    assert fitted.method == "wgan_gp"
    assert [one.step for one in fitted.history] == [1, 2]


def test_a_generator_that_was_changed_after_its_commit_is_not_judged(
    store: ArtifactStore, made: dict[int, Path], tmp_path: Path
) -> None:
    again = ArtifactStore(shutil.copytree(store.root, tmp_path / "again"))
    batches, folds = bucket(again)
    work = plan_judge(batches, SETTINGS, folds=folds, generators={fold: folder.name for fold, folder in made.items()})
    weights = again.open("synthesize", made[0].name) / "network.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"!")
    with pytest.raises(StoreError, match=r"is not what was committed: network\.safetensors has changed"):
        judge_folds.fn(*hand_over(work, again))


def test_the_judgement_holds_all_folds_and_sheets_for_people(judged: Path) -> None:
    facts = json.loads((judged / "judgement.json").read_text())
    assert facts["class_name"] == "glioma"
    assert [one["fold"] for one in facts["folds"]] == [0, 1, 2]
    assert set(facts["differences"]) == {"real", "repeated"}
    origin = origin_of(judged / "synthetic_0.png")
    assert origin is not None
    assert origin.label == "glioma"
    with Image.open(judged / "synthetic_0.png") as sheet, Image.open(judged / "real_0.png") as real:
        assert bears_mark(np.asarray(sheet))
        assert not bears_mark(np.asarray(real))


def test_the_report_shows_sheets_curves_verdicts_and_differences(judged: Path) -> None:
    part = synthesis_part(judged, json.loads((judged / "judgement.json").read_text()))
    assert part == type(part).model_validate_json(part.model_dump_json())
    page = render_synthesis(part)
    assert page.count("data:image/png;base64,") == 6
    assert page.count("<svg") == 3
    assert "Wasserstein" in page
    assert page == render_synthesis(part)
    for gain in part.gains:
        assert gain.difference == pytest.approx(gain.value - gain.other_value)


def test_the_rare_class_is_the_studys_or_the_one_named() -> None:
    assert rare_class(["b", "a", "b"], ["a", "b"], SETTINGS) == 0
    assert rare_class(["b", "a", "b"], ["a", "b"], SynthesisSettings(rare="b")) == 1
    with pytest.raises(ValueError, match="names no class 'c'; choose from: a, b"):
        rare_class(["a"], ["a", "b"], SynthesisSettings(rare="c"))


# Learning from them


def described(store: ArtifactStore, batch: Batch) -> Batch:
    """The same pictures with features, as ``extract`` leaves them."""
    pictures = read_pictures(store.open("normalize", batch.keys["normalize"]))
    rows = [{"case": one.case, **picture_features(one.pixels, one.pixels, ExtractSettings())} for one in pictures]
    table = pd.DataFrame(rows)
    return batch.with_key(
        "extract", put(store, "extract", lambda folder: table.to_parquet(folder / "features.parquet"))
    )


def taught(store: ArtifactStore, fold: int | None, *, noise_in_fold: int | None = None) -> dict[str, Path]:
    """Generator, network and pipeline of a fold, each with the synthetic pictures of the same."""
    batches, folds = bucket(store, noise_in_fold=noise_in_fold)
    batches = [described(store, batch) for batch in batches]
    assert TRAIN.synthesis is not None
    generator = done(store, synthesize_fold, plan(batches, TRAIN.synthesis, folds=folds, fold=fold))
    features = done(store, describe_synthetic, plan_synthetic(generator.name, ExtractSettings(), subject="fold"))
    about: Any = {"folds": folds, "fold": fold}
    about["synthetic"] = {"synthesize": generator.name, "describe_synthetic": features.name}
    network = picture_task.plan(batches, TRAIN.network("small_cnn"), **about)
    pipeline = pipeline_task.plan_pipeline(batches, TRAIN.pipeline("logistic"), **about)
    return {
        "generator": generator,
        "features": features,
        "network": done(store, picture_task.train_network, network),
        "pipeline": done(store, pipeline_task.train_pipeline, pipeline),
    }


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """No dashboard."""
    for name in ("create_progress_artifact", "update_progress_artifact", "create_table_artifact"):
        monkeypatch.setattr(live_task, name, lambda **_given: "id")


def written(folders: dict[str, Path]) -> dict[str, bytes]:
    """What was learned, without what names keys."""
    names = {"generator": "network", "network": "network", "pipeline": "card"}
    found = {name: (folders[name] / f"{file}.json").read_bytes() for name, file in names.items()}
    return found | {f"{name} tensors": (folders[name] / "network.safetensors").read_bytes() for name in list(names)[:2]}


@pytest.mark.usefixtures("quiet")
def test_noise_in_the_held_out_fold_leaves_generator_and_classifiers(tmp_path: Path) -> None:
    clean, noisy = (ArtifactStore(tmp_path / name) for name in ("clean", "noisy"))
    one = written(taught(clean, 1))
    assert one == written(taught(noisy, 1, noise_in_fold=1))
    seen = written(taught(noisy, 0, noise_in_fold=1))  # these learned from the noise
    other = written(taught(clean, 0))
    assert {name for name in other if other[name] == seen[name]} == set()


@pytest.mark.usefixtures("quiet")
def test_cards_count_real_and_synthetic_pictures_apart(tmp_path: Path) -> None:
    found = taught(ArtifactStore(tmp_path), None)
    about = json.loads((found["generator"] / "made.json").read_text())
    assert about["fold"] is None
    shown = json.loads((found["generator"] / "network.json").read_text())["card"]["images"]
    assert len(about["unseen"]) == 7  # a quarter of 9 and of 21
    assert shown == 30 - 7
    made = len(list(read_pictures(found["generator"])))
    assert made == 21 - 9
    network = json.loads((found["network"] / "network.json").read_text())["card"]
    pipeline = json.loads((found["pipeline"] / "card.json").read_text())
    assert (network["pictures"] + network["held_out"], network["synthetic"]) == (30, made)
    assert (pipeline["pictures"], pipeline["synthetic"]) == (30, made)
    table = pd.read_parquet(found["features"] / "features.parquet")
    assert table["synthetic"].all()
    assert len(table) == made


def test_the_pictures_of_another_fold_are_refused(store: ArtifactStore, made: dict[int, Path]) -> None:
    batches, folds = bucket(store)
    about: Any = {"folds": folds, "fold": 2, "synthetic": {"synthesize": made[1].name}}
    work = picture_task.plan(batches, TRAIN.network("small_cnn"), **about)
    with pytest.raises(LeakageError, match="made without fold 1 are not for fold 2"):
        picture_task.train_network.fn(*hand_over(work, store))


def test_what_bears_no_mark_is_not_taken_for_synthetic(tmp_path: Path, made: dict[int, Path]) -> None:
    folder = Path(shutil.copytree(made[1], tmp_path / "copy"))
    array: Any = zarr.open_array(folder / "pictures.zarr", mode="r+")
    array[:] = np.random.default_rng(0).integers(0, 256, array.shape)
    split = json.loads((folder / "made.json").read_text())["split"]
    with pytest.raises(ValueError, match="8 of 8 synthetic pictures bear no mark"):
        read_synthetic(folder, split=split, fold=1, cases=[], classes=["glioma", "none"])
