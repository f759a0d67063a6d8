"""The loop of the training engine (`tasks.train.engine`) in one process: from where a checkpoint stands to the end."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.deep.memory import give_back_memory, is_out_of_memory
from tasks.train.checkpoint import read_checkpoint, write_checkpoint
from tasks.train.engine_settings import EngineSettings
from tasks.train.learner import Learner, share_of_rate
from tasks.train.lesson import Batch, IntArray, Lesson
from tasks.train.prefetch import Prefetch
from tasks.train.record import EpochRecord, Trained
from tasks.train.repeatable import deterministic_algorithms, own_random_numbers, seed_step
from tasks.train.team import ALONE, Team

if TYPE_CHECKING:
    from torch import Tensor, nn


def learn(
    network: nn.Module,
    lesson: Lesson,
    settings: EngineSettings,
    *,
    seed: int,
    device: str,
    first_epoch: int,
    checkpoint: Path | None,
    checkpoint_every_s: float,
    on_epoch: Callable[[EpochRecord], None],
    team: Team = ALONE,
    accumulate: int = 1,
) -> Trained:
    """Train in this process, alone or as one of a team; see `tasks.train.engine.train`.

    ``accumulate``: parts of a step at least.
    """
    with deterministic_algorithms(settings.deterministic), own_random_numbers(device):
        training = _Training(network, lesson, settings, seed, device, first_epoch, team, accumulate)
        training.keep_in(checkpoint, checkpoint_every_s)
        return training.run(on_epoch)


class _Training:
    """A training under way: where it is, and how it goes on."""

    def __init__(
        self,
        network: nn.Module,
        lesson: Lesson,
        settings: EngineSettings,
        seed: int,
        device: str,
        first_epoch: int,
        team: Team,
        accumulate: int,
    ) -> None:
        self.lesson, self.settings, self.seed, self.device, self.first = lesson, settings, seed, device, first_epoch
        self.team, self.learner = team, Learner(network, lesson, settings, device=device, team=team)
        self.accumulate = max(settings.accumulate, accumulate)
        self.epoch, self.step = 0, 0
        self.sums: dict[str, Tensor] = {}
        self.history: list[EpochRecord] = []
        self.best: dict[str, Any] | None = None
        self.ended = False
        self.resumed = 0
        self.stepped_s, self.waited_s = 0.0, 0.0

    def keep_in(self, file: Path | None, every_s: float) -> None:
        """Go on from a file, if it holds this training, and write to it from now on."""
        self._file, self._every_s, self._kept = file, every_s, time.monotonic()
        state = read_checkpoint(file, identity=self._identity()) if file is not None else None
        if state is None:
            return
        for name in ("epoch", "step", "best", "ended"):
            setattr(self, name, state[name])
        self.accumulate = max(self.accumulate, state["accumulate"])
        self.sums = {name: value.to(self.device) for name, value in state["sums"].items()}
        self.history = [EpochRecord(**record) for record in state["history"]]
        self.resumed = self.epoch
        if self.ended:
            self.learner.end(state["weights"])
        else:
            self.learner.restore(state["learner"])

    def run(self, on_epoch: Callable[[EpochRecord], None]) -> Trained:
        """To the end, in smaller parts where memory runs out."""
        for record in self.history:
            on_epoch(record)
        while not self.ended:
            short = False
            try:
                self._go_on(on_epoch)
            except Exception as error:
                if not is_out_of_memory(error) or self.accumulate >= self.settings.batch or self.team.size > 1:
                    raise
                short = True
            if short:  # out here, where the error no longer holds on to the tensors
                self.learner.forget()
                give_back_memory()
                self.accumulate *= 2
        return Trained(
            history=tuple(self.history),
            best=self.best["epoch"] if self.best else None,
            precision=self.learner.precision,
            accumulate=self.accumulate,
            resumed=self.resumed,
            waiting=_share(self.waited_s, self.stepped_s),
        )

    def _go_on(self, on_epoch: Callable[[EpochRecord], None]) -> None:
        with Prefetch(self._batch, self._parts_ahead(), device=self.device) as batches:
            while not self.ended:
                began = time.perf_counter()
                rate, training, waiting = self._learn(batches)
                held_out = self._examined()
                seconds = round(time.perf_counter() - began, 3)
                record = EpochRecord(self._number + 1, rate, training, held_out, seconds, waiting)
                self._end_epoch(record)
                on_epoch(record)

    @property
    def _number(self) -> int:
        """The epoch as the lesson counts it, from 0 over all phases."""
        return self.first + self.epoch

    def _learn(self, batches: Prefetch) -> tuple[float, dict[str, float], float]:
        """The steps of an epoch that are left: the last rate, means over all of its rows, and the share of waiting."""
        began, waited = time.perf_counter(), batches.waited_s
        steps = self.lesson.steps(self._number)
        while self.step < len(steps):
            rows, rate = steps[self.step], self._rate(self.step, len(steps))
            seed_step(self.seed, self._number, self.step, *self.team.own)
            parts = (batches.take() for _ in self._parts(rows))
            found = self.learner.learn(parts, weight=self.lesson.weight(rows), rate=rate)
            found = {name: value.double() for name, value in found.items()}
            self.team.add_up(list(found.values()))
            self.sums = {name: value + self.sums.get(name, 0.0) for name, value in found.items()}
            self.step += 1
            if time.monotonic() - self._kept >= self._every_s:
                self._keep()
        training = {name: float(value) / sum(map(len, steps)) for name, value in self.sums.items()}
        stepped, waited = time.perf_counter() - began, batches.waited_s - waited
        self.stepped_s, self.waited_s = self.stepped_s + stepped, self.waited_s + waited
        if not math.isfinite(training["loss"]):
            raise FloatingPointError(
                f"training diverged in epoch {self._number + 1}; "
                f"lower its learning rate, now {self.settings.learning_rate}"
            )
        return self._rate(len(steps) - 1, len(steps)), training, _share(waited, stepped)

    def _rate(self, step: int, steps: int) -> float:
        done = (self.epoch + (step + 1) / steps) / self.settings.epochs
        return self.settings.learning_rate * share_of_rate(done, self.settings.warm_up)

    def _parts(self, rows: IntArray) -> list[IntArray]:
        share = self.team.share(rows)
        return np.array_split(share, min(self.accumulate, len(share)))

    def _parts_ahead(self) -> Iterator[tuple[int, IntArray]]:
        """The rows of each part from here on, each with its epoch."""
        done = self.step
        for epoch in range(self._number, self.first + self.settings.epochs):
            for rows in self.lesson.steps(epoch)[done:]:
                yield from ((epoch, part) for part in self._parts(rows))
            done = 0

    def _batch(self, item: tuple[int, IntArray]) -> Batch:
        epoch, rows = item
        return self.lesson.batch(rows, epoch)

    def _examined(self) -> dict[str, float]:
        import torch

        done = self.epoch + 1
        if not self.team.leads or (done % self.settings.examine_every and done < self.settings.epochs):
            return {}
        with torch.no_grad():
            found = self.lesson.examine(self.learner.examined.eval())
        if self.settings.patience is not None and not found:
            raise ValueError("early stopping needs a part that is held out; hold some out, or leave patience out")
        return found

    def _end_epoch(self, record: EpochRecord) -> None:
        if self.settings.patience is not None and record.held_out:
            self._compare(record, self.settings.patience)
        self.history.append(record)  # not before: where memory runs out for the best weights, the epoch ends once more
        self.ended = self.team.as_the_first(self.ended)
        self.epoch, self.step, self.sums = self.epoch + 1, 0, {}
        if self.ended or self.epoch == self.settings.epochs:
            self.learner.end(self.best.pop("weights") if self.best else self.learner.examined.state_dict())
            self.ended = True
            self._keep()

    def _compare(self, record: EpochRecord, patience: int) -> None:
        """Remember the best weights, and end where there were none better for long enough."""
        loss = record.held_out["loss"]
        if self.best is None or loss < self.best["loss"]:
            weights = {name: value.clone() for name, value in self.learner.examined.state_dict().items()}
            self.best = {"epoch": record.epoch, "loss": loss, "weights": weights, "worse": 0}
        else:
            self.best["worse"] += 1
        self.ended = self.best["worse"] >= patience

    def _keep(self) -> None:
        if (
            self._file is None
            or not self.team.leads
            or not all(math.isfinite(float(value)) for value in self.sums.values())
        ):
            return  # a training that diverges must not be gone on with
        learned = {"weights": self.learner.network.state_dict()} if self.ended else {"learner": self.learner.state()}
        place = {name: getattr(self, name) for name in ("epoch", "step", "accumulate", "best", "ended", "sums")}
        history = [asdict(record) for record in self.history]
        write_checkpoint(self._file, {"identity": self._identity(), "history": history, **place, **learned})
        self._kept = time.monotonic()

    def _identity(self) -> str:
        """What this training is: another network, order of rows, setting, seed or place is another training."""
        import torch

        network = self.learner.network
        told = [
            self.settings.model_dump(mode="json"),
            [self.seed, self.first, torch.device(self.device).type, self.learner.precision, torch.__version__],
            [rows.tolist() for rows in self.lesson.steps(self.first)],
            [[name, list(value.shape)] for name, value in network.state_dict().items()],
            [name for name, parameter in network.named_parameters() if parameter.requires_grad],
        ]
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def _share(part: float, whole: float) -> float:
    """Part of a whole, rounded; 0 of nothing."""
    return round(part / whole, 4) if whole else 0.0
