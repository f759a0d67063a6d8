"""The stage in the store: a model, candidates and an image become findings; the key follows all of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

from storage.artifacts import ArtifactStore
from storage.case import Case
from storage.classical import save_model
from storage.errors import StoreError
from storage.ome_zarr import read_volume, write_volume
from storage.volume import Volume
from tasks.detect.settings import Settings
from tasks.detect.task import detect_case, plan
from tasks.imaging.candidate_files import write_candidates
from tasks.imaging.candidate_set import CandidateSet, Piece
from tasks.task import hand_over

VALUES = np.arange(10 * 12 * 14, dtype=np.float32).reshape(10, 12, 14)
IMAGE = Volume(VALUES, (3.0, 2.0, 2.0), (5.0, 6.0, 7.0), unit="SUV")
CARD = {"columns": ["second"], "threshold": 0.5, "calibration": {"slope": 1.0, "intercept": 0.0}}
BOXES = [(2, 2, 2), (6, 6, 2), (2, 6, 8)]
CASE = Case(id="C-1", patient="P-1", digest="d", keys={"ingest": "i", "normalize": "n", "sample": "s", "extract": "e"})


def put(store: ArtifactStore, stage: str, key: str, write: Callable[[Path], object]) -> None:
    marks: dict[str, Any] = {"inputs": {}, "settings": {}, "source": "s", "versions": {}}
    with store.write(stage=stage, key=key, subject="C-1", **marks) as folder:
        write(folder)


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    """Three candidates of 2×2×2 voxels; the model believes the feature ``second``, which is 3, -3 and 1."""
    store = ArtifactStore(tmp_path)
    boxes = [(slice(z, z + 2), slice(y, y + 2), slice(x, x + 2)) for z, y, x in BOXES]
    pieces = [Piece("component", 1.0, box, np.ones((2, 2, 2), dtype=bool)) for box in boxes]
    candidates = CandidateSet.from_pieces(pieces, IMAGE.array, voxel_ml=IMAGE.voxel_ml, scores=[1.0] * 3)

    def ingest(folder: Path) -> None:
        write_volume(folder / "pet.zarr", IMAGE)
        facts = {"instances": [f"2.25.{n}" for n in range(20)], "crop_start_zyx": [4, 3, 2]}
        (folder / "facts.json").write_text(json.dumps({"pet": facts}))

    def sample(folder: Path) -> None:
        write_candidates(folder, candidates)
        write_volume(folder / "body.zarr", IMAGE.with_array(np.ones(IMAGE.shape, np.uint8), unit="label"))

    def train(folder: Path) -> None:
        x = np.array([[-4.0], [-2.0], [2.0], [4.0]])
        save_model(folder / "model.skops", Pipeline([("classify", LogisticRegression())]).fit(x, x[:, 0] > 0))
        (folder / "card.json").write_text(json.dumps(CARD))

    features = pd.DataFrame({"number": [1, 2, 3], "first": [9.0, -9.0, 9.0], "second": [3.0, -3.0, 1.0]})
    put(store, "ingest", "i", ingest)
    put(store, "sample", "s", sample)
    put(store, "extract", "e", lambda folder: features.to_parquet(folder / "features.parquet", index=False))
    put(store, "train", "m", train)
    return store


def believed(*values: float) -> list[float]:
    """What the model says of values of the feature, before calibration."""
    x = np.array([[-4.0], [-2.0], [2.0], [4.0]])
    model = LogisticRegression().fit(x, x[:, 0] > 0)
    return [float(model.predict_proba([[value]])[0, 1]) for value in values]


def detect(store: ArtifactStore, settings: Settings) -> Path:
    work = plan(CASE, settings, image="pet", model="m")
    assert detect_case.fn(*hand_over(work, store)).name == "Completed"
    return store.open("detect", work.key)


def test_what_the_model_believes_becomes_a_finding_in_the_image_as_received(store: ArtifactStore) -> None:
    found = json.loads((detect(store, Settings(label="sarcoma")) / "findings.json").read_text())
    assert [one["voxel"] for one in found] == [[3 + 4, 3 + 3, 3 + 2], [3 + 4, 7 + 3, 9 + 2]]  # brightest corners
    assert [one["source_instance"] for one in found] == ["2.25.7", "2.25.7"]
    assert found[0]["position_mm"] == [5 + 3 * 2, 6 + 3 * 2, 7 + 3 * 3]
    assert [one["confidence"] for one in found] == [round(score, 6) for score in believed(3.0, 1.0)]
    assert {(one["label"], one["model"], one["case"], one["patient"]) for one in found} == {
        ("sarcoma", "m", "C-1", "P-1")
    }


def test_the_mask_of_a_finding_is_where_the_stored_labels_have_its_number(store: ArtifactStore) -> None:
    folder = detect(store, Settings())
    labels = read_volume(folder / "ranked.zarr").array
    for one, (z, y, x) in zip(json.loads((folder / "findings.json").read_text()), [BOXES[0], BOXES[2]], strict=True):
        assert one["mask"] == folder.name
        assert np.argwhere(labels == one["number"]).tolist()[0] == [z, y, x]
        assert (labels == one["number"]).sum() == 8


def test_the_ranking_keeps_what_was_not_accepted(store: ArtifactStore) -> None:
    table = pd.read_parquet(detect(store, Settings()) / "ranked.parquet")
    assert table["number"].tolist() == [1, 3, 2]
    assert table["accepted"].tolist() == [True, True, False]
    assert table["confidence"].is_monotonic_decreasing


def test_settings_limit_findings(store: ArtifactStore) -> None:
    folder = detect(store, Settings(max_findings=1, max_ranked=2))
    assert len(json.loads((folder / "findings.json").read_text())) == 1
    assert len(pd.read_parquet(folder / "ranked.parquet")) == 2


def test_the_key_follows_model_image_settings_and_inputs() -> None:
    base = plan(CASE, Settings(), image="pet", model="m")
    assert plan(CASE.with_key("annotate", "a"), Settings(), image="pet", model="m").key == base.key
    others = [
        plan(CASE, Settings(), image="pet", model="n"),
        plan(CASE, Settings(), image="ct", model="m"),
        plan(CASE, Settings(max_ranked=5), image="pet", model="m"),
        *(
            plan(CASE.with_key(s, "x"), Settings(), image="pet", model="m")
            for s in ("ingest", "normalize", "sample", "extract")
        ),
    ]
    assert len({base.key, *(work.key for work in others)}) == 8
    assert "annotate" not in base.inputs  # no detection sees an annotation


def test_confidence_is_what_the_calibration_makes_of_the_score(store: ArtifactStore) -> None:
    model = store.open("train", "m") / "model.skops"
    pipeline, card = model.read_bytes(), json.dumps({**CARD, "calibration": {"slope": 2.0, "intercept": -1.0}})
    store.remove(model.parent)

    def train(folder: Path) -> None:
        (folder / "model.skops").write_bytes(pipeline)
        (folder / "card.json").write_text(card)

    put(store, "train", "m", train)
    (one, *_) = json.loads((detect(store, Settings()) / "findings.json").read_text())
    (score,) = believed(3.0)
    assert one["confidence"] == pytest.approx(1 / (1 + np.exp(1.0) * ((1 - score) / score) ** 2), abs=1e-6)


def test_a_model_that_was_changed_after_its_commit_detects_nothing(store: ArtifactStore) -> None:
    (store.open("train", "m") / "card.json").write_text(json.dumps({**CARD, "threshold": 0.0}))
    with pytest.raises(StoreError, match=r"the model m is not what was committed: card\.json has changed"):
        detect(store, Settings())
