"""Curves on an MLflow server: what is told, that nothing is told twice, and that a training does not need it."""

from __future__ import annotations

import base64
import logging
import math
import socket
import time
from collections.abc import Iterator

import pytest

from storage import mlflow, mlflow_curve
from storage.mlflow import About, MlflowError, MlflowServer
from storage.mlflow_curve import Experiment, MlflowCurve, experiment_of
from tests.storage.fake_mlflow import NO_FAULT, FakeMlflow, RefusedError, serving

ABOUT = About("ab12", "unet fold 1", {"study": "hippocampus", "fold": "fold 1"}, {"engine.epochs": "3", "seed": "0"})


@pytest.fixture
def server() -> Iterator[FakeMlflow]:
    with serving() as fake:
        yield fake


@pytest.fixture
def said() -> list[str]:
    """What a training was warned of."""
    return []


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every epoch is sent, and a server that failed is asked again with the next."""
    monkeypatch.setattr(mlflow_curve, "EVERY_S", 0.0)
    monkeypatch.setattr(mlflow_curve, "PAUSE_S", 0.0)


def curve(server: FakeMlflow, said: list[str], about: About = ABOUT, study: str = "hippocampus") -> MlflowCurve:
    return MlflowCurve(Experiment(study, server.url), about, said.append)


def draw(one: MlflowCurve, *epochs: int) -> None:
    for epoch in epochs:
        one.add(epoch, {"training/loss": 1 / epoch, "learning_rate": 0.1})


@pytest.mark.usefixtures("at_once")
def test_a_training_is_a_run_in_the_experiment_of_its_study(server: FakeMlflow, said: list[str]) -> None:
    began_ms, one = int(time.time() * 1000), curve(server, said)
    draw(one, 1)
    assert server.curve("training/loss") == [(1, 1.0)]
    assert server.runs[0]["status"] == "RUNNING"
    draw(one, 2)
    one.end("FINISHED")
    [run] = server.runs
    assert (server.experiments, run["experiment_id"], run["name"]) == (["hippocampus"], "0", "unet fold 1")
    assert run["tags"] == {"study": "hippocampus", "fold": "fold 1", "training_key": "ab12"}
    assert run["params"] == {"engine.epochs": "3", "seed": "0"}
    assert server.curve("training/loss") == [(1, 1.0), (2, 0.5)]
    assert server.curve("learning_rate") == [(1, 0.1), (2, 0.1)]
    assert run["status"] == "FINISHED"
    assert began_ms <= run["start_time"] <= run["end_time"]
    assert began_ms <= run["metrics"][0]["timestamp"] <= run["end_time"]
    assert said == []


@pytest.mark.usefixtures("at_once")
def test_a_training_that_was_killed_goes_on_in_its_run_and_nothing_is_there_twice(
    server: FakeMlflow, said: list[str]
) -> None:
    draw(curve(server, said), 1, 2)
    again = curve(server, said)
    draw(again, 1, 2, 3)
    again.end("FINISHED")
    assert len(server.runs) == 1
    assert [step for step, _ in server.curve("training/loss")] == [1, 2, 3]
    assert [step for step, _ in server.curve("learning_rate")] == [1, 2, 3]


@pytest.mark.usefixtures("at_once")
def test_a_number_that_only_some_epochs_have_is_not_missed_after_a_restart(server: FakeMlflow, said: list[str]) -> None:
    draw(curve(server, said), 1, 2)
    again = curve(server, said)
    again.add(2, {"training/loss": 0.5, "held_out/dice": 0.75})
    assert server.curve("held_out/dice") == [(2, 0.75)]
    assert [step for step, _ in server.curve("training/loss")] == [1, 2]


@pytest.mark.usefixtures("at_once")
def test_a_training_that_failed_runs_again_in_the_same_run(server: FakeMlflow, said: list[str]) -> None:
    first = curve(server, said)
    draw(first, 1)
    first.end("FAILED")
    assert server.runs[0]["status"] == "FAILED"
    draw(curve(server, said), 1)
    assert [run["status"] for run in server.runs] == ["RUNNING"]


def test_trainings_of_a_study_share_its_experiment_and_no_run(server: FakeMlflow, said: list[str]) -> None:
    for key, study in (("ab12", "hippocampus"), ("cd34", "hippocampus"), ("ab12", "brains")):
        draw(curve(server, said, About(key, "unet", {}, {}), study), 1)
    assert server.experiments == ["hippocampus", "brains"]
    assert [run["experiment_id"] for run in server.runs] == ["0", "0", "1"]


def test_the_experiment_that_another_fold_made_in_between_is_taken(server: FakeMlflow, said: list[str]) -> None:
    server.experiments = ["hippocampus"]
    server.faults["experiments/get-by-name"] = [("before", RefusedError(404, "RESOURCE_DOES_NOT_EXIST"))]
    draw(curve(server, said), 1)
    assert server.experiments == ["hippocampus"]
    assert (server.curve("training/loss"), said) == ([(1, 1.0)], [])


def test_epochs_that_follow_each_other_quickly_are_sent_together(server: FakeMlflow, said: list[str]) -> None:
    one = curve(server, said)
    draw(one, *range(1, 101))
    assert server.curve("training/loss") == [(1, 1.0)]
    one.end("FINISHED")
    assert len(server.curve("training/loss")) == 100
    assert server.calls.count("runs/log-batch") == 3  # settings, the first epoch, the others


def test_more_than_a_call_takes_is_told_in_several(server: FakeMlflow, said: list[str]) -> None:
    one = curve(server, said, About("ab12", "unet", {}, {f"p{n}": str(n) for n in range(250)}))
    draw(one, *range(1, 1202))
    one.end("FINISHED")
    assert said == []
    assert server.runs[0]["params"] == {f"p{n}": str(n) for n in range(250)}
    assert [step for step, _ in server.curve("learning_rate")] == list(range(1, 1202))


def test_what_is_no_number_is_told_in_the_words_of_protobuf(server: FakeMlflow, said: list[str]) -> None:
    curve(server, said).add(1, {"a": math.nan, "b": math.inf, "c": -math.inf, "d": 0.5})
    assert {one["key"]: one["value"] for one in server.runs[0]["metrics"]} == {
        "a": "NaN",
        "b": "Infinity",
        "c": "-Infinity",
        "d": 0.5,
    }


# Without the server


def test_a_server_that_is_down_costs_one_warning_and_is_left_alone(
    server: FakeMlflow, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mlflow_curve, "EVERY_S", 0.0)
    fault = ("before", RefusedError(503, "TEMPORARILY_UNAVAILABLE"))
    server.faults["experiments/get-by-name"] = [fault] * 9
    one = curve(server, said)
    draw(one, *range(1, 100))
    assert server.calls == ["experiments/get-by-name"]
    one.end("FINISHED")
    assert server.calls == ["experiments/get-by-name"] * 2
    assert said == ["MLflow does not take the curve of unet fold 1, which goes on: status 503 TEMPORARILY_UNAVAILABLE"]


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize(
    "call", ["experiments/get-by-name", "experiments/create", "runs/search", "runs/create", "runs/log-batch"]
)
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_server_that_answers_again_gets_all_that_it_missed_once(
    call: str, when: str, server: FakeMlflow, said: list[str]
) -> None:
    """``after``: it did what it was asked, and only its answer was lost."""
    server.experiments = ["hippocampus"] if call == "experiments/get-by-name" else []
    server.faults[call] = [(when, RefusedError(502))]
    one = curve(server, said)
    draw(one, 1, 2, 3)
    one.end("FINISHED")
    assert len(server.runs) == 1
    assert [step for step, _ in server.curve("training/loss")] == [1, 2, 3]
    assert server.runs[0]["params"] == ABOUT.params
    assert server.runs[0]["status"] == "FINISHED"
    assert said == ["MLflow does not take the curve of unet fold 1, which goes on: status 502"]


def test_a_part_of_a_curve_that_was_taken_before_the_rest_was_refused_is_not_told_again(
    server: FakeMlflow, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mlflow, "MOST_METRICS", 2)
    one = curve(server, said)
    draw(one, 1, 2, 3)
    server.faults["runs/log-batch"] = [NO_FAULT, ("before", RefusedError(500))]
    one.end("FINISHED")
    assert [step for step, _ in server.curve("training/loss")] == [1, 2]
    one.end("FINISHED")
    assert [step for step, _ in server.curve("training/loss")] == [1, 2, 3]
    assert [step for step, _ in server.curve("learning_rate")] == [1, 2, 3]


def test_nobody_at_the_port_is_no_error(said: list[str]) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        one = MlflowCurve(Experiment("s", f"http://127.0.0.1:{closed.getsockname()[1]}"), ABOUT, said.append)
        draw(one, 1, 2)
        one.end("FINISHED")
    assert said == ["MLflow does not take the curve of unet fold 1, which goes on: ConnectError"]


@pytest.mark.timeout(25)
def test_a_server_that_takes_calls_and_never_answers_is_given_up(
    said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mlflow, "TIMEOUT_S", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        draw(MlflowCurve(Experiment("s", f"http://127.0.0.1:{silent.getsockname()[1]}"), ABOUT, said.append), 1)
    assert said == ["MLflow does not take the curve of unet fold 1, which goes on: ReadTimeout"]


@pytest.mark.parametrize(
    ("status", "reason"), [(200, "JSONDecodeError"), (302, "status 302"), (401, "status 401"), (403, "status 403")]
)
def test_a_page_to_sign_in_at_is_no_answer(status: int, reason: str, server: FakeMlflow, said: list[str]) -> None:
    server.faults["experiments/get-by-name"] = [("before", RefusedError(status))]
    draw(curve(server, said), 1)
    assert said == [f"MLflow does not take the curve of unet fold 1, which goes on: {reason}"]


def test_an_answer_of_another_form_is_no_error(
    server: FakeMlflow, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeMlflow, "_experiments_get_by_name", lambda _self, **_told: ["what?"])
    draw(curve(server, said), 1)
    assert said == ["MLflow does not take the curve of unet fold 1, which goes on: TypeError"]


# The URL


def test_a_site_names_its_server_once_for_every_study(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LESIONFLOW_MLFLOW_URL", raising=False)
    assert experiment_of("hippocampus") is None
    monkeypatch.setenv("LESIONFLOW_MLFLOW_URL", "")
    assert experiment_of("hippocampus") is None
    monkeypatch.setenv("LESIONFLOW_MLFLOW_URL", "http://mlflow:5000")
    assert experiment_of("hippocampus") == Experiment("hippocampus", "http://mlflow:5000")


def test_the_password_is_told_to_the_server_and_to_no_log(
    server: FakeMlflow, said: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    experiment = Experiment("hippocampus", server.url.replace("//", "//night:se%40cret@") + "/?token=hidden#hidden")
    one = MlflowCurve(experiment, ABOUT, said.append)
    draw(one, 1)
    server.faults["runs/update"] = [("before", RefusedError(403, "PERMISSION_DENIED"))]
    one.end("FINISHED")
    assert server.authorizations == {"Basic " + base64.b64encode(b"night:se@cret").decode()}
    assert said == ["MLflow does not take the curve of unet fold 1, which goes on: status 403 PERMISSION_DENIED"]
    assert "experiments/get-by-name" in caplog.text
    assert [
        word for word in ("secret", "se@cret", "se%40cret", "hidden") if word in caplog.text + repr(experiment)
    ] == []


@pytest.mark.parametrize(
    "url",
    [
        "mlflow",
        "mlflow:5000",
        "ftp://mlflow",
        "http://",
        "http://night:sec/ret@mlflow",
        "http://night:12/ret@mlflow",
        "sqlite:///sec/ret.db",
    ],
)
def test_what_is_no_url_is_refused_without_being_quoted(url: str) -> None:
    with pytest.raises(MlflowError) as refused:
        MlflowServer(url)
    assert "is no URL" in str(refused.value)
    assert [part for part in ("sec", "12", "ret@") if part in str(refused.value)] == []


@pytest.mark.parametrize("url", ["https://site/mlflow", "https://site/mlflow/"])
def test_a_server_below_a_path_is_asked_there(url: str) -> None:
    asked = MlflowServer(url)._client.build_request("POST", "runs/search")
    assert str(asked.url) == "https://site/mlflow/api/2.0/mlflow/runs/search"
