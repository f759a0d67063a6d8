"""The curve of a training, sent to a site's MLflow server while it grows. Whatever that does, the training goes on.

What is told is part of no key, since it changes nothing of what is computed.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from storage.mlflow import URL_VARIABLE, About, Ending, MlflowError, MlflowRun, MlflowServer, Point, now_ms

EVERY_S = 5.0
"""What epochs gave is sent so often at most; what comes in between goes with the next."""
PAUSE_S = 300.0
"""How long a server that failed is left alone."""


@dataclass(frozen=True)
class Experiment:
    """Where the curves of a study go; ``url`` may hold a password, and is neither shown nor stored."""

    name: str
    url: str = field(repr=False)


def experiment_of(study: str) -> Experiment | None:
    """The experiment of a study; ``None`` where the site has no MLflow server."""
    url = os.environ.get(URL_VARIABLE)
    return Experiment(study, url) if url else None


class MlflowCurve:
    """The curve of one training. Nothing is ever raised.

    What a failing server does not take is kept, and sent once it answers again.

    Parameters
    ----------
    warn
        Takes one sentence, once, however often the server fails.
    """

    def __init__(self, experiment: Experiment, about: About, warn: Callable[[str], None]) -> None:
        self._experiment, self._about, self._warn = experiment, about, warn
        self._server: MlflowServer | None = None
        self._run: MlflowRun | None = None
        self._waiting: list[Point] = []
        self._not_before, self._warned = 0.0, False

    def add(self, epoch: int, values: Mapping[str, float]) -> None:
        """Add the numbers of an epoch, by name. Those of epochs that the server has are not written again."""
        now = now_ms()
        self._waiting += [Point(name, value, epoch, now) for name, value in values.items()]
        if time.monotonic() >= self._not_before:
            self._send()

    def end(self, status: Ending) -> None:
        """Send what is left, and how the training ended."""
        self._send(status)

    def _send(self, status: Ending | None = None) -> None:
        pause = EVERY_S
        try:
            self._server = self._server or MlflowServer(self._experiment.url)
            self._run = self._run or MlflowRun(self._server, self._experiment.name, self._about)
            self._run.draw(self._waiting)
            self._waiting = []
            if status is not None:
                self._run.end(status)
        except Exception as error:  # whatever a server does at night: the training matters more
            # What it took before it failed, only the server knows: the run is looked for again.
            self._run, pause = None, PAUSE_S
            if not self._warned:
                reason = str(error) if isinstance(error, MlflowError) else type(error).__name__
                self._warn(f"MLflow does not take the curve of {self._about.name}, which goes on: {reason}")
            self._warned = True
        self._not_before = time.monotonic() + pause
