"""A training that is followed: by TensorBoard's event files, in the dashboard, and on MLflow where the site has it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from prefect import get_run_logger

from storage.mlflow import About
from storage.mlflow_curve import MlflowCurve
from tasks.settings import StageSettings
from tasks.task import Work
from tasks.train.curves import curves_in, points_of
from tasks.train.live_task import shown_live

if TYPE_CHECKING:
    from tasks.train.record import EpochRecord


class Settings(Protocol):
    """Settings of training one network, whichever kind it is."""

    @property
    def model(self) -> str:
        """The file of ``tasks/models``."""

    def of_model(self) -> StageSettings:
        """What that is told."""

    def model_dump(self) -> dict[str, Any]:
        """All of them."""


@contextmanager
def followed(work: Work, settings: Settings, folder: Path, *, epochs: int) -> Iterator[Callable[[EpochRecord], None]]:
    """Give a function that tells an epoch to whoever follows; nobody of them can stop the training.

    Parameters
    ----------
    work
        The training; it carries the `Experiment` that it belongs to, or ``None``.
    folder
        Of its artifact; the event files lie in ``curves/`` there.
    epochs
        How many there will be at most.
    """
    with (
        curves_in(folder / "curves") as draw,
        shown_live(work.subject, epochs) as show,
        _on_mlflow(work, settings) as send,
    ):

        def tell(record: EpochRecord) -> None:
            draw(record)
            show(record)
            send(record)

        yield tell


@contextmanager
def _on_mlflow(work: Work, settings: Settings) -> Iterator[Callable[[EpochRecord], None]]:
    if work.carried is None:
        yield lambda _record: None
        return
    curve = MlflowCurve(work.carried, _about(work, settings), warn=lambda text: get_run_logger().warning(text))
    try:
        yield lambda record: curve.add(record.epoch, points_of(record))
    except Exception:  # not one that is cancelled: it will go on another day
        curve.end("FAILED")
        raise
    curve.end("FINISHED")


def _about(work: Work, settings: Settings) -> About:
    fold = work.subject.removeprefix(f"{settings.model} ")
    tags = {"study": work.carried.name, "model": settings.model, "fold": fold}
    told = {**settings.model_dump(), "options": settings.of_model().model_dump()}
    return About(key=work.key, name=f"{settings.model} {fold}", tags=tags, params=dict(_flat(told)))


def _flat(settings: Mapping[str, Any], within: str = "") -> Iterator[tuple[str, str]]:
    """Settings by their dotted names, as JSON has them; where files lie on this machine is nobody's matter."""
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{within}{name}.")
        elif not isinstance(value, Path):
            yield f"{within}{name}", value if isinstance(value, str) else json.dumps(value, default=str)
