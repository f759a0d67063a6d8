"""The steps of a pipeline by their names, and what those of a fitted one have made of the table's columns.

What the names stand for is told in :mod:`tasks.classical.pipelines`, which puts the steps together.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

    from tasks.classical.scanner_harmonizer import ScannerHarmonizer

HARMONIZE = "harmonize"
"""Name of the first step where features are harmonized."""
MEASURED = "measured"
"""Name of the one step before a model that is not imputed for."""
VARY = "vary"
"""Name of the step that leaves out columns which are the same everywhere."""
SELECT = "select_"
"""What the names of the selectors' steps begin with."""


def inputs_of(
    pipeline: Pipeline, features: npt.NDArray[np.float64], scanners: Sequence[str | None]
) -> npt.NDArray[np.float64]:
    """What a pipeline takes for a table ``(rows, columns)``: with the scanner of each row where it harmonizes."""
    harmonizer: ScannerHarmonizer | None = pipeline.named_steps.get(HARMONIZE)
    return features if harmonizer is None else harmonizer.with_scanners(features, scanners)


def steps_of(pipeline: Pipeline) -> dict[str, Any]:
    """The steps of a fitted pipeline by name; in place of ``measured`` those that it holds."""
    found: dict[str, Any] = dict(pipeline.steps)
    measured = found.pop(MEASURED, None)
    return found if measured is None else {**dict(measured.preparation_.steps), **found}


def choosing_steps(pipeline: Pipeline, columns: int) -> Iterator[tuple[str, Any, npt.NDArray[np.intp]]]:
    """The steps of a fitted pipeline that leave columns out: name, step, and which of the table's it was offered."""
    offered = np.arange(columns)
    for name, step in steps_of(pipeline).items():
        if name == VARY or name.startswith(SELECT):
            yield name, step, offered
            offered = offered[step.get_support()]


def kept_columns(pipeline: Pipeline, columns: int) -> npt.NDArray[np.bool_]:
    """Which of the table's columns the model of a fitted pipeline sees, bool ``(columns,)``."""
    kept = np.arange(columns)
    for _, step, offered in choosing_steps(pipeline, columns):
        kept = offered[step.get_support()]
    return np.isin(np.arange(columns), kept)
