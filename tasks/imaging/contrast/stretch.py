"""Contrast stretched linearly between two percentiles, so that few extreme values do not take up the range."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field, model_validator

from storage.errors import CaseError
from tasks.imaging.hue_kept import on_luminance, white_in
from tasks.imaging.luminance import luminances
from tasks.imaging.order_statistics import quantiles
from tasks.imaging.step import Array, Blocks, Facts, Step, View, floating


def stretch(grey: Array, *, low: float, high: float) -> Array:
    """Map ``low … high`` to ``0 … 1``; what is outside becomes 0 or 1."""
    values = floating(grey)
    return np.asarray(np.clip((values - low) / (high - low), 0, 1), dtype=values.dtype)


class Settings(Step):
    """The range between two percentiles brought to 0 … 1; of a coloured picture that of its luminance.

    Attributes
    ----------
    low_percent, high_percent
        Percentiles of the whole image, exact.
    """

    name: Literal["stretch"] = "stretch"
    low_percent: float = Field(default=0.5, ge=0, le=100)
    high_percent: float = Field(default=99.5, ge=0, le=100)

    @model_validator(mode="after")
    def _ascending(self) -> Settings:
        if not self.low_percent < self.high_percent:
            raise ValueError(f"expected the lower end first; got {self.low_percent:g} and {self.high_percent:g}")
        return self

    def measure(self, blocks: Blocks, view: View) -> Facts:
        """The values of the percentiles."""
        low, high = quantiles(luminances(blocks, view), (self.low_percent / 100, self.high_percent / 100))
        if not low < high:
            raise CaseError(f"the image has no contrast to stretch: its percentiles are both {low:g}")
        return {"low": low, "high": high, "white": white_in(blocks, view)}

    def apply(self, block: Array, view: View) -> Array:
        """Stretch the block."""
        low, high, white = (view.measured[name] for name in ("low", "high", "white"))
        return on_luminance(
            block, len(view.shape), lambda grey: stretch(grey, low=low, high=high), white=white, white_after=1.0
        )

    def unit_after(self, unit: str) -> str:
        """From 0 to 1."""
        del unit
        return "share"
