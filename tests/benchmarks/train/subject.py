"""What the rows of train work on: noise, since the time of a step does not depend on what the pictures show."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.benchmarks.row import Array

PICTURES, PX, CLASSES = 32, 224, 4


@dataclass(frozen=True)
class Subject:
    """Where it lies."""

    folder: Path

    def pictures(self) -> tuple[Array, Array]:
        """``(PICTURES, 3, PX, PX)`` float32, mean 0 and standard deviation 1, and their classes, int64."""
        return np.load(self.folder / "pictures.npy"), np.arange(PICTURES, dtype=np.int64) % CLASSES


def load(folder: Path) -> Subject:
    """What :func:`make` left."""
    return Subject(folder)


def make(folder: Path) -> None:
    """Leave the files."""
    rng = np.random.default_rng(0)
    np.save(folder / "pictures.npy", rng.standard_normal((PICTURES, 3, PX, PX), dtype=np.float32))
