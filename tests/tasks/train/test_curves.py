"""What TensorBoard reads of a training."""

from __future__ import annotations

from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tasks.train.curves import curves_in
from tasks.train.record import EpochRecord


def read(folder: Path) -> dict[str, list[tuple[int, float]]]:
    events = EventAccumulator(str(folder))
    events.Reload()
    return {name: [(one.step, one.value) for one in events.Scalars(name)] for name in events.Tags()["scalars"]}


def test_each_epoch_is_there_as_soon_as_it_is_told(tmp_path: Path) -> None:
    with curves_in(tmp_path / "curves") as draw:
        draw(EpochRecord(1, 0.5, {"loss": 2.0}, {}, seconds=3.0, waiting=0.25))
        first = read(tmp_path / "curves")
        draw(EpochRecord(2, 0.25, {"loss": 1.0}, {"loss": 1.5, "dice": 0.75}))
    assert first == {
        "training/loss": [(1, 2.0)],
        "learning_rate": [(1, 0.5)],
        "time/seconds": [(1, 3.0)],
        "time/waiting": [(1, 0.25)],
    }
    found = read(tmp_path / "curves")
    assert found["training/loss"] == [(1, 2.0), (2, 1.0)]
    assert found["held_out/loss"] == [(2, 1.5)]
    assert found["held_out/dice"] == [(2, pytest.approx(0.75))]
