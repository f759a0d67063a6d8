"""Every network of a study belongs to the study's experiment on the site's MLflow server, where it has one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest

from flows import pictures, segmentation, training
from flows.preparing import Prepared
from flows.synthesis import NONE_MADE
from flows.training import Models
from storage.case import Case
from storage.mlflow_curve import Experiment
from tasks.leakage import Gate
from tasks.split.folds import Folds
from tasks.task import Outcome, StageTask, Work
from tasks.train.picture_settings import PictureTrainSettings
from tasks.train.segmentation_settings import SegmentationSettings
from tasks.train.settings import Settings

KEYS = dict.fromkeys(("ingest", "normalize", "sample", "annotate", "extract"), "k")
CASES = [Case(id=f"C-{n}", patient=f"P-{n}", digest=f"d{n}", keys=KEYS) for n in range(6)]
FOLDS = Folds(2, {f"P-{n}": n % 2 for n in range(6)}, groups={f"C-{n}": f"P-{n}" for n in range(6)})


class Planned:
    """Writes down what a study would train."""

    def __init__(self) -> None:
        self.works: list[Work] = []
        self.store: Any = SimpleNamespace(open=lambda *_key: None)

    def all(self, task: StageTask, works: Sequence[Work]) -> list[Outcome]:
        self.works += works
        return [Outcome(work.stage, work.key, work.subject, cached=False, seconds=0.0) for work in works]

    def keys(self, task: StageTask, works: Sequence[Work]) -> list[str]:
        return [outcome.key for outcome in self.all(task, works)]


def on_pictures(do: Any) -> Models:
    s: Any = SimpleNamespace(name="mine", train=PictureTrainSettings(models=("small_cnn", "logistic")))
    return pictures.train_models(do, [], cast(Any, SimpleNamespace(count=2, folds={}, note=None)), "f", s, NONE_MADE)


def that_segment(do: Any) -> Models:
    ingest = SimpleNamespace(structures={"ball": 1})
    s: Any = SimpleNamespace(name="mine", train=SegmentationSettings(), ingest=ingest)
    return segmentation.train_segmenters(do, Prepared(CASES), FOLDS, "f", {case.id for case in CASES}, s)


def on_patches(do: Any) -> Models:
    train = Settings.model_validate({"models": ["logistic"], "on_patches": [{"model": "cnn3d"}]})
    s: Any = SimpleNamespace(name="mine", train=train, detect=SimpleNamespace(max_findings=5))
    return training.train_models(do, Prepared(CASES), FOLDS, s)


@pytest.mark.parametrize("train", [on_pictures, that_segment, on_patches])
@pytest.mark.parametrize("url", ["http://mlflow:5000", ""])
def test_the_works_of_all_networks_carry_it(
    train: Callable[[Any], Models], url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LESIONFLOW_MLFLOW_URL", url)
    monkeypatch.setattr(training, "lesion_volumes_ml", lambda _folder: [1.0])
    monkeypatch.setattr(training, "gate_of", lambda *_about: Gate((), (), {}))
    planned = Planned()
    train(planned)
    networks = [work for work in planned.works if getattr(work.settings, "model", "") in ("small_cnn", "unet", "cnn3d")]
    assert [work.carried for work in networks] == [Experiment("mine", url) if url else None] * 3
