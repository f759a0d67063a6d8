"""How far a run is: a bar with an estimate in a terminal, lines elsewhere, a progress artifact in the dashboard.

The estimate weighs each remaining piece of work by what its stage cost so far in this run, else in earlier runs of this
store.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from types import TracebackType

from prefect.artifacts import create_progress_artifact, update_progress_artifact
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

UPDATE_EVERY_S = 3.0


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
        self._left: dict[str, int] = {}
        self._cost = dict(mean_seconds)
        self._counts: dict[str, tuple[int, float]] = {}
        self._workers = max(1, workers)
        self._done = 0
        self._console = Console(stderr=True)
        columns = (
            TextColumn("{task.description:<22}"),
            BarColumn(),
            TextColumn("{task.completed}/{task.total} {task.fields[left]}"),
            TimeElapsedColumn(),
        )
        self._bar = Progress(*columns, console=self._console, disable=not self._console.is_terminal)
        self._line = self._bar.add_task("starting", total=None, left="")
        self._artifact = create_progress_artifact(progress=0.0, key="progress", description="Pieces of work done")
        self._updated = time.monotonic()

    def __enter__(self) -> RunProgress:
        self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: BaseException | TracebackType | None) -> None:
        if kind is None:
            self._publish(100.0)
        self._bar.stop()

    def expect(self, stage: str, count: int) -> None:
        """Say how many pieces of a stage there really are."""
        self._left[stage] = count
        self._show(stage)

    def advance(self, stage: str, *, cached: bool, seconds: float) -> None:
        """One piece of a stage is done."""
        self._left[stage] = max(0, self._left.get(stage, 0) - 1)
        self._done += 1
        if not cached:
            count, total = self._counts.get(stage, (0, 0.0))
            self._counts[stage] = (count + 1, total + seconds)
            self._cost[stage] = (total + seconds) / (count + 1)
        self._show(stage)

    def say(self, text: str) -> None:
        """A line that stays."""
        self._console.print(text, highlight=False)

    def seconds_left(self) -> float | None:
        """Estimate of the time left, an untimed stage counting as the mean; ``None`` while nothing was ever timed."""
        if not self._cost:
            return None
        usual = sum(self._cost.values()) / len(self._cost)
        return sum(count * self._cost.get(stage, usual) for stage, count in self._left.items()) / self._workers

    def _show(self, stage: str) -> None:
        total = self._done + sum(self._left.values())
        left = self.seconds_left()
        text = "" if left is None else f"· about {left:.0f} s left"
        self._bar.update(self._line, description=stage, completed=self._done, total=total, left=text)
        now = time.monotonic()
        if now - self._updated > UPDATE_EVERY_S:
            self._updated = now
            self._publish(100.0 * self._done / max(1, total))
            if not self._console.is_terminal:
                self.say(f"{stage}: {self._done}/{total} {text}")

    def _publish(self, percent: float) -> None:
        update_progress_artifact(artifact_id=self._artifact, progress=percent)  # type: ignore[arg-type]
