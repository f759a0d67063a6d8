"""How much of a run is done and how much lies ahead, in pieces of work and in seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from flows.forecast import Phases


@dataclass(frozen=True)
class TimeLeft:
    """An estimate. ``at_least``: some of what lies ahead was never timed, and is not in it."""

    seconds: float
    at_least: bool

    def __str__(self) -> str:
        return f"{'at least' if self.at_least else 'about'} {spoken(self.seconds)} left"


class Ahead:
    """The pieces of work of one run.

    Parameters
    ----------
    mean_seconds
        What a piece of each stage cost in earlier runs.
    workers
        How many are done at the same time.
    """

    def __init__(self, *, mean_seconds: Mapping[str, float], workers: int) -> None:
        self.done = 0
        self._phases: list[dict[str, int]] = []
        self._cost = dict(mean_seconds)
        self._timed: dict[str, tuple[int, float]] = {}
        self._workers = max(1, workers)

    @property
    def total(self) -> int:
        """Pieces of work of the whole run, as far as is known."""
        return self.done + sum(self._left().values())

    def plan(self, phases: Phases) -> None:
        """Say what lies ahead, in its order."""
        self._phases = [dict(phase) for phase in phases]

    def begin(self, stage: str, count: int) -> None:
        """Say how many pieces of a stage are done next. What the forecast still had in earlier phases never comes."""
        place = next((n for n, phase in enumerate(self._phases) if stage in phase), None)
        if place is None:
            self._phases.insert(0, {stage: count})
            return
        del self._phases[:place]
        self._phases[0][stage] = max(count, self._phases[0][stage])

    def advance(self, stage: str, *, seconds: float | None) -> None:
        """One piece of a stage is done; ``seconds``: what it cost, ``None`` for what lay in the store."""
        self.done += 1
        phase = next(phase for phase in self._phases if stage in phase)
        phase[stage] -= 1
        if seconds is not None:
            count, total = self._timed.get(stage, (0, 0.0))
            self._timed[stage] = (count + 1, total + seconds)
            self._cost[stage] = (total + seconds) / (count + 1)

    def time_left(self) -> TimeLeft | None:
        """``None`` while nothing that lies ahead was ever timed."""
        left = {stage: count for stage, count in self._left().items() if count}
        if left and not left.keys() & self._cost:
            return None
        seconds = sum(count * self._cost.get(stage, 0.0) for stage, count in left.items()) / self._workers
        return TimeLeft(seconds, at_least=bool(left.keys() - self._cost))

    def _left(self) -> dict[str, int]:
        left: dict[str, int] = {}
        for phase in self._phases:
            for stage, count in phase.items():
                left[stage] = left.get(stage, 0) + count
        return left


def spoken(seconds: float) -> str:
    """A duration as people say it: ``"40 s"``, ``"12 min"``, ``"2 h 10 min"``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
