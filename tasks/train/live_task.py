"""A training that the dashboard shows while it goes on: how far it is, and at its end what every epoch gave."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from prefect import get_run_logger
from prefect.artifacts import create_progress_artifact, create_table_artifact, update_progress_artifact

if TYPE_CHECKING:
    from tasks.train.record import EpochRecord


@contextmanager
def shown_live(subject: str, epochs: int) -> Iterator[Callable[[EpochRecord], None]]:
    """Give a function that shows an epoch in the dashboard; all of them in a table at the end, also at an early one.

    A dashboard that is out of reach stops no training.
    """
    name = subject.replace(" ", "-").replace("_", "-")
    rows: list[dict[str, str]] = []
    shown: list[Any] = []

    def show(record: EpochRecord) -> None:
        rows.append(_as_row(record))
        with _unless_out_of_reach():
            if not shown:
                about = f"Epochs of {subject}"
                shown.append(create_progress_artifact(progress=0.0, key=f"training-{name}", description=about))
            update_progress_artifact(artifact_id=shown[0], progress=100.0 * record.epoch / epochs)

    yield show
    with _unless_out_of_reach():
        create_table_artifact(key=f"loss-{name}", table=rows, description=f"What each epoch of {subject} gave")


def _as_row(record: EpochRecord) -> dict[str, str]:
    means = [
        (f"{part}_{name}", value) for part in ("training", "held_out") for name, value in getattr(record, part).items()
    ]
    values = [("learning_rate", record.learning_rate), *means, ("seconds", record.seconds), ("waiting", record.waiting)]
    return {"epoch": str(record.epoch), **{name: f"{value:.4g}" for name, value in values}}


@contextmanager
def _unless_out_of_reach() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        get_run_logger().warning("the dashboard does not take the progress: %s", type(error).__name__)
