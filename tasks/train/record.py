"""What a training tells of itself: epoch by epoch, and at its end."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tasks.deep.precision import Precision


@dataclass(frozen=True)
class EpochRecord:
    """One epoch: means over the rows as they were learned from, and what the held-out part gave (empty: not asked).

    ``learning_rate``: of its last step. ``seconds`` it took, as far as this process saw it; ``waiting``: the part of
    its steps' time in which the network waited for data.
    """

    epoch: int
    learning_rate: float
    training: dict[str, float]
    held_out: dict[str, float]
    seconds: float = field(default=0.0, compare=False)
    waiting: float = field(default=0.0, compare=False)


@dataclass(frozen=True)
class Trained:
    """How a training went; its weights are in the network that was given.

    Attributes
    ----------
    history
        One record per epoch, those before an interruption too.
    best
        Number of the epoch whose weights were kept; ``None``: the last, since nothing was to stop early.
    precision, accumulate
        That it ended with. ``accumulate`` is more than was asked where memory ran out.
    resumed
        Epochs that a checkpoint spared.
    waiting
        Part of the time of the steps in which the network waited for data; on a GPU an upper bound.
    """

    history: tuple[EpochRecord, ...]
    best: int | None
    precision: Precision
    accumulate: int
    resumed: int = field(default=0, compare=False)
    waiting: float = field(default=0.0, compare=False)

    def facts(self) -> dict[str, Any]:
        """What a model's card tells of it, ready for JSON; no times, so that the same training tells the same."""
        told = {"epochs": len(self.history), "best": self.best}
        return {**told, "precision": self.precision, "accumulate": self.accumulate}
