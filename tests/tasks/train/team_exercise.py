"""Lessons and networks that a team of processes learns: they travel, so they are classes of a module.

Run as a program it learns in two processes, slowly, into a checkpoint: something to be killed.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from tasks.train.engine import Batch, IntArray, train
from tests.tasks.train.exercise import Corners, settings, small_network

LEARNED_BY_TWO = settings(epochs=3, ema=0.9, patience=3, devices=2)


class Uneven(Corners):
    """Classes that weigh differently, steps of 7, 7, 7 and 2 rows, and memory for two rows in a process of a team."""

    scale = torch.tensor([1.0, 5.0, 0.5, 2.0])

    def __init__(self) -> None:
        super().__init__(23, batch=7)

    def batch(self, rows: IntArray, epoch: int) -> Batch:
        if len(rows) in (3, 4):  # of 7, where two share them
            raise torch.OutOfMemoryError("more than 2 rows")
        return super().batch(rows, epoch)

    def weight(self, rows: IntArray) -> float:
        return float(self.scale[self.answers(rows)].sum())

    def loss(self, outputs: Any, answers: Tensor) -> Tensor:
        return cross_entropy(outputs, answers, weight=self.scale.to(answers.device), reduction="sum")


class Watched(nn.Module):
    """Leaves its weights at every step of every process in a folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.inner, self.folder, self.steps = small_network(), folder, 0

    def forward(self, inputs: Tensor) -> Tensor:
        if self.training:
            weights = torch.cat([one.detach().flatten() for one in self.inner.parameters()])
            np.save(self.folder / f"{self.steps:02}-{os.getpid()}.npy", weights.numpy())
            self.steps += 1
        return self.inner(inputs)


class Deadly(Corners):
    """Whoever has row 0 in his share of the third epoch is killed, unless the file is there that he leaves behind."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.file = file

    def batch(self, rows: IntArray, epoch: int) -> Batch:
        if 0 in rows and epoch == 2 and not self.file.exists():
            self.file.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().batch(rows, epoch)


class Slowly(Corners):
    """Time to be killed in."""

    def weight(self, rows: IntArray) -> float:
        time.sleep(0.1)
        return super().weight(rows)


if __name__ == "__main__":
    torch.set_num_threads(1)
    about = {"seed": 3, "checkpoint": Path(sys.argv[1]), "checkpoint_every_s": 0}
    train(small_network(dropout=0.3), Slowly(), LEARNED_BY_TWO, **about)
