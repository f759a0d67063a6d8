"""What trainings of pictures are told of groups, and that none begins where a group is on both sides.

Nothing is trained here: each training is stopped at the function that would draw from the pictures once more.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from storage.artifacts import ArtifactStore
from storage.case import Batch, Case
from storage.keys import digest
from tasks.imaging.picture_files import StoredPicture, write_pictures
from tasks.leakage import LeakageError
from tasks.task import StageTask, Work, hand_over
from tasks.train import hold_out, live_task, network, picture_task, pipeline_fit, pipeline_task, synthesis_task
from tasks.train.picture_settings import PictureTrainSettings
from tasks.train.synthesis.settings import SynthesisSettings

CASES = [Case(id=f"C-{n:02}", patient=f"P-{n:02}", digest=f"{n:064x}") for n in range(18)]
FOLDS = {case.id: (n // 2) % 3 for n, case in enumerate(CASES)}
GROUPS = {case.id: n // 2 for n, case in enumerate(CASES)}
"""Pictures come in pairs that show nearly the same."""
OUTSIDE = [case.id for case in CASES if FOLDS[case.id] != 0]
TRAIN = PictureTrainSettings(models=("small_cnn", "logistic"), families=("first_order",))


class AskedError(Exception):
    """Stops a training; holds what it has just asked for."""

    def __init__(self, *given: Any) -> None:
        self.given = given


def asks(*given: Any, **_more: Any) -> None:
    raise AskedError(*given)


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """No dashboard."""
    for name in ("create_progress_artifact", "update_progress_artifact", "create_table_artifact"):
        monkeypatch.setattr(live_task, name, lambda **_given: "id")


def put(store: ArtifactStore, stage: str, write: Callable[[Path], object]) -> str:
    marks: dict[str, Any] = {"subject": "x", "inputs": {}, "settings": {}, "source": "s", "versions": {}}
    with store.write(stage=stage, key=digest(stage), **marks) as folder:
        write(folder)
    return digest(stage)


def cohort(store: ArtifactStore, groups: dict[str, int] = GROUPS) -> tuple[list[Batch], str]:
    """Small pictures with a feature each, dealt into three folds."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (len(CASES), 16, 16, 3), dtype=np.uint8)
    pictures = [StoredPicture(case.digest, case.id, case.patient, one) for case, one in zip(CASES, pixels, strict=True)]
    classes = {case.id: ("dark", "light")[n % 2] for n, case in enumerate(CASES)}
    table = pd.DataFrame({"case": [case.id for case in CASES], "first_order.mean": rng.normal(size=len(CASES))})
    split = json.dumps({"count": 3, "classes": ["dark", "light"], "folds": FOLDS, "groups": groups})
    keys = {
        "normalize": put(store, "normalize", lambda folder: write_pictures(folder, pictures)),
        "annotate": put(store, "annotate", lambda folder: (folder / "classes.json").write_text(json.dumps(classes))),
        "extract": put(store, "extract", lambda folder: table.to_parquet(folder / "features.parquet")),
    }
    key = put(store, "split", lambda folder: (folder / "folds.json").write_text(split))
    return [Batch(id="bucket 00", members=tuple(CASES), keys=keys)], key


def trainings(store: ArtifactStore, groups: dict[str, int] = GROUPS) -> dict[str, tuple[StageTask, Work]]:
    """Each kind of training of the first fold."""
    batches, split = cohort(store, groups)
    about: dict[str, Any] = {"folds": split, "fold": 0}
    synthesis = SynthesisSettings(augment=True, held_out=0.25)
    return {
        "network": (picture_task.train_network, picture_task.plan(batches, TRAIN.network("small_cnn"), **about)),
        "pipeline": (
            pipeline_task.train_pipeline,
            pipeline_task.plan_pipeline(batches, TRAIN.pipeline("logistic"), **about),
        ),
        "generator": (synthesis_task.synthesize_fold, synthesis_task.plan(batches, synthesis, **about)),
    }


def asked_by(store: ArtifactStore, kind: str) -> tuple[Any, ...]:
    task, work = trainings(store)[kind]
    with pytest.raises(AskedError) as stopped:
        task.fn(*hand_over(work, store))
    return stopped.value.given


@pytest.mark.parametrize("kind", ["network", "pipeline", "generator"])
def test_no_training_begins_where_a_tested_picture_shows_nearly_the_same(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place, name in ((network, "fit_network"), (pipeline_fit, "fit_pipeline"), (hold_out, "hold_out")):
        monkeypatch.setattr(place, name, asks)
    store = ArtifactStore(tmp_path)
    torn = GROUPS | {"C-00": GROUPS["C-02"]}  # of the first fold and of the second
    task, work = trainings(store, torn)[kind]
    with pytest.raises(LeakageError, match="share a group: C-02 and C-00"):
        task.fn(*hand_over(work, store))


def test_the_held_out_share_of_a_network_is_drawn_from_whole_groups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network, "fit_network", asks)
    _, _, groups, _ = asked_by(ArtifactStore(tmp_path), "network")
    assert groups == [GROUPS[case] for case in OUTSIDE]


def test_the_inner_folds_of_a_classical_model_are_the_studys_so_that_no_group_is_torn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline_fit, "fit_pipeline", asks)
    _, _, folds, _ = asked_by(ArtifactStore(tmp_path), "pipeline")
    assert folds == [FOLDS[case] for case in OUTSIDE]


def test_what_a_generator_leaves_for_calibration_is_drawn_from_whole_groups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hold_out, "hold_out", asks)
    _, groups, _ = asked_by(ArtifactStore(tmp_path), "generator")
    assert groups.tolist() == [GROUPS[case] for case in OUTSIDE]
