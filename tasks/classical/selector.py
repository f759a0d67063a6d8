"""What a selector of features is: settings with a name, and a choice among the columns of a table.

A selector is one file of ``tasks/selection`` with a class ``Settings(Selector)`` that gives it a name. The pipeline
(see :mod:`tasks.classical.pipelines`) shows it training rows alone, without NaN, in columns of mean 0 and standard
deviation 1.

Words:

- *labels*: the class of each row, whole numbers from 0; at least two classes.
- *kept*: the columns that the next step sees. Never none: where nothing is good enough, the best column is kept.
- *score*: what the choice was made by, in the measure that the selector names; the greater, the better. NaN where a
  column was never judged.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from tasks.settings import StageSettings

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Choice:
    """Which columns are kept, bool ``(columns,)``, and the score of each, float ``(columns,)``."""

    kept: BoolArray
    scores: FloatArray


class Selector(StageSettings, ABC):
    """One selector: a block ``[[train.selection]]``. A subclass is called ``Settings`` and gives ``name`` as default.

    Attributes
    ----------
    measure
        What its score is, for the report: ``"F"``, ``"selection frequency"``.
    """

    measure: ClassVar[str] = ""

    name: str = ""

    @abstractmethod
    def choose(self, features: FloatArray, labels: IntArray, *, seed: int) -> Choice:
        """What a selector's own file tells; :meth:`select` is what others call.

        Parameters
        ----------
        features
            ``(rows, columns)``, standardized, finite.
        labels
            ``(rows,)``: 0, 1, … for each class.
        seed
            Of selectors that draw.
        """

    def select(self, features: FloatArray, labels: IntArray, *, seed: int) -> Choice:
        """The columns kept, at least one.

        Raises
        ------
        ValueError
            The rows are of one class, a value is not finite, or there is no column.
        """
        if features.ndim != 2 or 0 in features.shape:
            raise ValueError(f"'{self.name}' needs at least one row and one column; got {features.shape}")
        if (classes := len(np.unique(labels))) < 2:
            raise ValueError(f"'{self.name}' needs rows of at least 2 classes; got {classes}")
        if not np.isfinite(features).all():
            raise ValueError(f"'{self.name}' needs finite values; impute first")
        choice = self.choose(features, labels, seed=seed)
        return choice if choice.kept.any() else Choice(best(choice.scores, 1), choice.scores)


def best(scores: FloatArray, count: int) -> BoolArray:
    """The columns of the greatest scores; NaN is less than any number, and of equal ones the later column is kept."""
    order = np.argsort(np.where(np.isnan(scores), -np.inf, scores), kind="stable")
    kept = np.zeros(len(scores), dtype=bool)
    kept[order[max(0, len(order) - count) :]] = True
    return kept
