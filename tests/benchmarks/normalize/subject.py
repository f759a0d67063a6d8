"""What the rows of normalize work on: a generated CT of 300×512×512 voxels, ``(z, y, x)`` int16, in memory already."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.benchmarks.phantom import ct_phantom
from tests.benchmarks.row import Array


def make(folder: Path) -> None:
    """Leave the volume."""
    np.save(folder / "volume.npy", ct_phantom())


def load(folder: Path) -> Array:
    """Read it."""
    return np.load(folder / "volume.npy")
