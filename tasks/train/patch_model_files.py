"""What the stage ``patch_model`` leaves: the fitted model in a folder of its own, and scores to compete by."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

FITTED = "model"
"""Folder of the fitted model: all that is needed to use it."""
HELD_OUT = "held_out.json"


def write_held_out(folder: Path, scores: Mapping[str, FloatArray]) -> None:
    """Write the scores of the candidates of each training case, by its digest, by a model that did not know him."""
    (folder / HELD_OUT).write_text(json.dumps({digest: values.tolist() for digest, values in scores.items()}))


def read_held_out(folder: Path) -> dict[str, FloatArray]:
    """What `write_held_out` wrote, bit for bit."""
    found = json.loads((folder / HELD_OUT).read_text())
    return {digest: np.asarray(values, dtype=np.float64) for digest, values in found.items()}
