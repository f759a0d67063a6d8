"""How far a run is: a bar with an estimate in a terminal, lines elsewhere, a progress artifact in the dashboard.

The estimate weighs each remaining piece of work by what its stage cost so far in this run, else in earlier runs of this
store. Where lines are written, one comes at least every minute: whoever reads the log of a long training at 3 a.m. sees
that it goes on.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from types import TracebackType

from prefect.artifacts import create_progress_artifact, update_progress_artifact
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from flows.ahead import Ahead, spoken
from flows.forecast import Phases

UPDATE_EVERY_S = 3.0
SILENT_FOR_S = 60.0


class RunProgress:
    """Progress of one run.

    Parameters
    ----------
    mean_seconds
        What a piece of work of each stage cost in earlier runs.
    workers
        How many are done at the same time.
    """

    def __init__(self, *, mean_seconds: Mapping[str, float], workers: int) -> None:
        self._ahead = Ahead(mean_seconds=mean_seconds, workers=workers)
        self._stage = "starting"
        self._console = Console(stderr=True)
        columns = (
            TextColumn("{task.description:<22}"),
            BarColumn(),
            TextColumn("{task.completed}/{task.total} {task.fields[left]}"),
            TimeElapsedColumn(),
        )
        self._bar = Progress(*columns, console=self._console, disable=not self._console.is_terminal)
        self._line = self._bar.add_task(self._stage, total=None, left="")
        self._artifact = create_progress_artifact(progress=0.0, key="progress", description="Pieces of work done")
        self._started = self._updated = self._said = time.monotonic()
        self._over = threading.Event()
        self._pulse = threading.Thread(target=self._speak_up, name="progress", daemon=True)

    def __enter__(self) -> RunProgress:
        self._bar.start()
        if not self._console.is_terminal:  # the bar has a clock of its own
            self._pulse.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: BaseException | TracebackType | None) -> None:
        self._over.set()
        if kind is None:
            self._publish(100.0)
        self._bar.stop()

    def plan(self, phases: Phases) -> None:
        """Say what lies ahead."""
        self._ahead.plan(phases)

    def begin(self, stage: str, count: int) -> None:
        """Say how many pieces of a stage are done next."""
        self._ahead.begin(stage, count)
        self._show(stage)

    def advance(self, stage: str, *, cached: bool, seconds: float) -> None:
        """One piece of a stage is done."""
        self._ahead.advance(stage, seconds=None if cached else seconds)
        self._show(stage)

    def say(self, text: str) -> None:
        """A line that stays."""
        self._console.print(text, highlight=False, soft_wrap=True)

    def _show(self, stage: str) -> None:
        self._stage = stage
        self._bar.update(
            self._line, description=stage, completed=self._ahead.done, total=self._ahead.total, left=self._left()
        )
        now = time.monotonic()
        if now - self._updated > UPDATE_EVERY_S:
            self._updated = now
            self._publish(100.0 * self._ahead.done / max(1, self._ahead.total))
            if not self._console.is_terminal:
                self._say_where(now)

    def _speak_up(self) -> None:
        """From a thread of its own: repeat where the run is when nothing was said for long."""
        while not self._over.wait(1.0):
            if (now := time.monotonic()) - self._said >= SILENT_FOR_S:
                self._say_where(now, since=f" · {spoken(now - self._started)} so far")

    def _say_where(self, now: float, since: str = "") -> None:
        self._said = now
        self.say(f"{self._stage}: {self._ahead.done}/{self._ahead.total}{self._left()}{since}")

    def _left(self) -> str:
        left = self._ahead.time_left()
        return "" if left is None else f" · {left}"

    def _publish(self, percent: float) -> None:
        update_progress_artifact(artifact_id=self._artifact, progress=percent)  # type: ignore[arg-type]
