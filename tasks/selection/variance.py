"""Columns that hardly vary: all rows but a few have the same value.

A column's variance says nothing by itself, since columns have different units. Here each is stretched to the range
0 … 1 first; then the variance of one row in *n* that differs from all others is about ``1/n``, and none is above ¼.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from tasks.classical.selector import Choice, FloatArray, IntArray, Selector


class Settings(Selector):
    """How much a column has to vary."""

    measure: ClassVar[str] = "variance of the range 0 to 1"

    name: Literal["variance"] = "variance"
    least: float = Field(default=0.001, ge=0, le=0.25, description="Least variance of a column stretched to 0 … 1.")

    def choose(self, features: FloatArray, labels: IntArray, *, seed: int) -> Choice:
        """Score the variance; it does not look at the labels."""
        import numpy as np

        del labels, seed
        width = np.ptp(features, axis=0)
        scores = np.var(features, axis=0) / np.where(width > 0, width, 1.0) ** 2
        return Choice((scores >= self.least) & (width > 0), scores)
