"""What the dashboard shows of a training, and that a training does not need it."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from tasks.train import live_task
from tasks.train.live_task import shown_live
from tasks.train.record import EpochRecord


def epoch(number: int) -> EpochRecord:
    return EpochRecord(number, 1e-3, {"loss": 0.5 / number, "dice": 0.25}, {"loss": 1.0})


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, Any]]]:
    """What was asked of the dashboard, in order."""
    found: list[tuple[str, dict[str, Any]]] = []

    def taker(name: str) -> Callable[..., str]:
        return lambda **given: found.append((name, given)) or "id"

    for name in ("create_progress_artifact", "update_progress_artifact", "create_table_artifact"):
        monkeypatch.setattr(live_task, name, taker(name.partition("_artifact")[0]))
    return found


def test_a_training_that_stops_early_leaves_its_table(told: list[tuple[str, dict[str, Any]]]) -> None:
    with shown_live("small_cnn fold 1", epochs=10) as show:
        for number in (1, 2, 3):
            show(epoch(number))
    *progress, (kind, table) = told
    assert [name for name, _ in progress] == ["create_progress", *["update_progress"] * 3]
    assert [given["progress"] for name, given in progress if name == "update_progress"] == [10.0, 20.0, 30.0]
    assert progress[0][1]["key"] == "training-small-cnn-fold-1"
    assert (kind, table["key"]) == ("create_table", "loss-small-cnn-fold-1")
    assert [row["epoch"] for row in table["table"]] == ["1", "2", "3"]
    assert (
        table["table"][1] | {"training_loss": "0.25", "training_dice": "0.25", "held_out_loss": "1"}
        == (table["table"][1])
    )


def test_a_dashboard_out_of_reach_stops_no_training(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_given: Any) -> None:
        raise ConnectionError

    said: list[str] = []
    for name in ("create_progress_artifact", "update_progress_artifact", "create_table_artifact"):
        monkeypatch.setattr(live_task, name, refuse)
    logger = SimpleNamespace(warning=lambda text, *values: said.append(text % values))
    monkeypatch.setattr(live_task, "get_run_logger", lambda: logger)
    with shown_live("refit", epochs=1) as show:
        show(epoch(1))
    assert said == ["the dashboard does not take the progress: ConnectionError"] * 2
