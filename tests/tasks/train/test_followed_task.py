"""A training that is followed tells everybody the same, and nothing of where files lie on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from storage import mlflow_curve
from storage.mlflow_curve import Experiment
from tasks.leakage import Gate
from tasks.settings import StageSettings
from tasks.task import Work
from tasks.train import followed_task, live_task, patch_model_task, picture_task, segmentation_task
from tasks.train.followed_task import followed
from tasks.train.network_settings import NetworkSettings
from tasks.train.patch_network_settings import PatchNetworkSettings
from tasks.train.record import EpochRecord
from tasks.train.segmentation_settings import SegmentationSettings
from tests.storage.fake_mlflow import FakeMlflow, serving

NETWORK = NetworkSettings(model="small_cnn", epochs=3)
EPOCHS = (
    EpochRecord(1, 0.5, {"loss": 2.0, "accuracy": 0.25}, {}, seconds=3.0, waiting=0.25),
    EpochRecord(2, 0.25, {"loss": 1.0, "accuracy": 0.5}, {"loss": 1.5, "accuracy": 0.75}),
)


@pytest.fixture(autouse=True)
def no_dashboard(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("create_progress_artifact", "update_progress_artifact", "create_table_artifact"):
        monkeypatch.setattr(live_task, name, lambda **_given: "id")


@pytest.fixture
def server() -> Iterator[FakeMlflow]:
    with serving() as fake:
        yield fake


def work(settings: StageSettings, subject: str, experiment: Experiment | None) -> Work:
    return Work("train", "ab12", subject, {}, settings, "", {}, carried=experiment)


def follow(folder: Path, server: FakeMlflow, settings: Any = NETWORK, subject: str = "small_cnn fold 1") -> None:
    with followed(work(settings, subject, Experiment("brains", server.url)), settings, folder, epochs=3) as tell:
        for record in EPOCHS:
            tell(record)


def drawn_by_tensorboard(folder: Path) -> dict[str, list[tuple[int, float]]]:
    events = EventAccumulator(str(folder / "curves"))
    events.Reload()
    return {name: [(one.step, one.value) for one in events.Scalars(name)] for name in events.Tags()["scalars"]}


def test_tensorboard_and_mlflow_are_told_the_same(tmp_path: Path, server: FakeMlflow) -> None:
    follow(tmp_path, server)
    drawn = drawn_by_tensorboard(tmp_path)
    assert drawn["training/loss"] == [(1, 2.0), (2, 1.0)]
    assert drawn["held_out/accuracy"] == [(2, 0.75)]
    assert {name: server.curve(name) for name in drawn} == drawn
    assert {one["key"] for one in server.runs[0]["metrics"]} == set(drawn)


def test_a_run_is_named_after_model_and_fold_and_tells_its_settings(tmp_path: Path, server: FakeMlflow) -> None:
    follow(tmp_path, server)
    [run] = server.runs
    assert (server.experiments, run["name"], run["status"]) == (["brains"], "small_cnn fold 1", "FINISHED")
    assert run["tags"] == {"study": "brains", "model": "small_cnn", "fold": "fold 1", "training_key": "ab12"}
    told = run["params"]
    assert (told["model"], told["epochs"], told["augmentation.flip"], told["patience"]) == (
        "small_cnn",
        "3",
        "true",
        "null",
    )
    defaults = {f"options.{name}" for name in type(NETWORK.of_model()).model_fields}
    assert defaults <= set(told)


@pytest.mark.parametrize(
    ("settings", "subject", "name"),
    [
        (SegmentationSettings(), "fold 2", "unet fold 2"),
        (SegmentationSettings(), "refit", "unet refit"),
        (PatchNetworkSettings(), "cnn3d refit", "cnn3d refit"),
    ],
)
def test_networks_on_volumes_are_named_as_those_on_pictures(
    settings: Any, subject: str, name: str, tmp_path: Path, server: FakeMlflow
) -> None:
    follow(tmp_path, server, settings, subject)
    [run] = server.runs
    assert run["name"] == name == f"{run['tags']['model']} {run['tags']['fold']}"
    assert run["params"]["engine.epochs"] == str(settings.engine.epochs)


def test_no_place_of_a_file_is_told(tmp_path: Path, server: FakeMlflow) -> None:
    weights = tmp_path / "weights of this machine.pth"
    settings = NetworkSettings(model="alexnet", options={"weights": str(weights), "dropout": 0.25})
    follow(tmp_path / "artifact", server, settings, "alexnet refit")
    told = server.runs[0]["params"]
    assert told["options.dropout"] == "0.25"
    assert [name for name, value in told.items() if weights.name in value] == []


def test_a_site_without_mlflow_has_the_event_files_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(followed_task, "MlflowCurve")
    with followed(work(NETWORK, "small_cnn refit", None), NETWORK, tmp_path, epochs=3) as tell:
        tell(EPOCHS[0])
    assert drawn_by_tensorboard(tmp_path)["training/loss"] == [(1, 2.0)]


@pytest.mark.parametrize(
    ("error", "status"), [(FloatingPointError("diverged"), "FAILED"), (KeyboardInterrupt(), "RUNNING")]
)
def test_a_training_that_fails_is_shown_as_failed_and_one_that_is_stopped_goes_on_another_day(
    error: BaseException, status: str, tmp_path: Path, server: FakeMlflow
) -> None:
    def fit() -> None:
        about = work(NETWORK, "small_cnn refit", Experiment("brains", server.url))
        with followed(about, NETWORK, tmp_path, epochs=3) as tell:
            tell(EPOCHS[0])
            raise error

    with pytest.raises(type(error)):
        fit()
    assert [run["status"] for run in server.runs] == [status]


def test_a_server_out_of_reach_is_one_warning_in_the_log_of_the_run(
    tmp_path: Path, server: FakeMlflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []

    class Logger:
        warning = staticmethod(said.append)

    monkeypatch.setattr(followed_task, "get_run_logger", Logger)
    monkeypatch.setattr(mlflow_curve, "MlflowServer", lambda _url: 1 / 0)
    follow(tmp_path, server)
    assert said == ["MLflow does not take the curve of small_cnn fold 1, which goes on: ZeroDivisionError"]
    assert len(drawn_by_tensorboard(tmp_path)["training/loss"]) == 2


def test_what_is_trained_does_not_depend_on_who_follows() -> None:
    def planned(experiment: Experiment | None) -> list[Work]:
        gate = Gate((), (), {})
        return [
            picture_task.plan([], NETWORK, folds="f", fold=1, experiment=experiment),
            segmentation_task.plan(
                [],
                SegmentationSettings(),
                structures={"ball": 1},
                subject="fold 1",
                folds="f",
                tested=[],
                experiment=experiment,
            ),
            patch_model_task.plan(
                [], PatchNetworkSettings(), patches={}, gate=gate, subject="fold 1", experiment=experiment
            ),
        ]

    sent, plain = planned(Experiment("brains", "http://night:secret@mlflow")), planned(None)
    assert [one.key for one in sent] == [one.key for one in plain]
    assert [one.carried.name for one in sent] == ["brains"] * 3
    assert [one.carried for one in plain] == [None] * 3
    assert "secret" not in repr(sent)
