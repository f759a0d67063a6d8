"""A lesson small enough to be learned in a moment: which of four corners of a small picture is bright.

Run as a program it learns, slowly, into a checkpoint: something to be killed.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from tasks.train.engine import Batch, IntArray, train
from tasks.train.engine_settings import EngineSettings

CLASSES = 4


class Corners:
    """Rows ``0 … rows - 1`` teach; as many others are held out if wanted. Noise is drawn anew in each epoch."""

    def __init__(self, rows: int = 24, *, batch: int = 8, held_out: bool = True, planes: int = 2, noise: float = 0.3):
        self.rows, self.per_step, self.held_out, self.noise = rows, batch, held_out, noise
        self.shape = (1,) + (6,) * planes
        self.batches: list[int] = []  # how many rows each batch had
        self.examined: list[dict[str, Tensor]] = []

    def answers(self, rows: IntArray) -> Tensor:
        return torch.from_numpy(np.asarray(rows) % CLASSES)

    def steps(self, epoch: int) -> Sequence[IntArray]:
        order = np.random.default_rng([7, epoch]).permutation(self.rows)
        return np.split(order, range(self.per_step, self.rows, self.per_step))

    def batch(self, rows: IntArray, epoch: int) -> Batch:
        self.batches.append(len(rows))
        inputs = np.stack([np.random.default_rng([epoch, row]).normal(0, self.noise, self.shape) for row in rows])
        for picture, row in zip(inputs, rows, strict=True):
            y, x = divmod(row % CLASSES, 2)
            picture[..., 3 * y : 3 * y + 3, 3 * x : 3 * x + 3] += 1
        return Batch(torch.from_numpy(inputs.astype(np.float32)), self.answers(rows))

    def weight(self, rows: IntArray) -> float:
        return float(len(rows))

    def loss(self, outputs: Any, answers: Tensor) -> Tensor:
        return cross_entropy(outputs, answers, reduction="sum")

    def tally(self, outputs: Any, answers: Tensor) -> dict[str, Tensor]:
        return {"loss": self.loss(outputs, answers), "accuracy": (outputs.argmax(dim=1) == answers).sum()}

    def examine(self, network: nn.Module) -> dict[str, float]:
        self.examined.append({name: value.clone() for name, value in network.state_dict().items()})
        if not self.held_out:
            return {}
        rows = np.arange(self.rows, 2 * self.rows)
        made = self.batches.copy()
        batch, self.batches = self.batch(rows, 10**6), made
        there = next(network.parameters()).device
        return {"loss": float(cross_entropy(network(batch.inputs.to(there)), batch.answers.to(there)))}


def small_network(*, dropout: float = 0.0, planes: int = 2) -> nn.Module:
    convolution = nn.Conv2d if planes == 2 else nn.Conv3d
    units = 4 * 4**planes
    with torch.random.fork_rng(devices=[]):  # the tests look whether torch is left as it was
        torch.manual_seed(0)
        layers = [convolution(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Dropout(dropout), nn.Linear(units, CLASSES)]
    return nn.Sequential(*layers)


def settings(**change: Any) -> EngineSettings:
    return EngineSettings(**{"epochs": 4, "batch": 8, "learning_rate": 1e-2, "precision": "float32", **change})


TO_BE_KILLED = settings(epochs=5, ema=0.9, patience=5)


class Slow(Corners):
    """Time to be killed in."""

    def weight(self, rows: IntArray) -> float:
        time.sleep(0.1)
        return super().weight(rows)


if __name__ == "__main__":
    torch.set_num_threads(1)
    train(small_network(dropout=0.3), Slow(), TO_BE_KILLED, seed=3, checkpoint=Path(sys.argv[1]), checkpoint_every_s=0)
