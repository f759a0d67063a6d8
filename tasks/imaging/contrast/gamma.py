"""Gamma: the middle of the range made brighter or darker, its ends kept."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from tasks.imaging.hue_kept import brightness, on_luminance
from tasks.imaging.step import SHOWN, Array, Blocks, Facts, Step, View, floating


def gamma(grey: Array, *, exponent: float, low: float, high: float) -> Array:
    """``low + (high - low) * share ** exponent``, where ``share`` is the place of a value between ``low`` and ``high``.

    Parameters
    ----------
    exponent
        Below 1 brightens, above 1 darkens.
    low, high
        The ends that stay; values outside become them. An image without a range stays as it is.
    """
    values = floating(grey)
    if not low < high:
        return values.copy()
    share = np.clip((values - low) / (high - low), 0, 1)
    return np.asarray(low + (high - low) * share**exponent, dtype=values.dtype)


class Settings(Step):
    """Gamma between the image's darkest and brightest value; of a coloured picture in its luminance.

    Attributes
    ----------
    exponent
        Below 1 brightens, above 1 darkens.
    """

    name: Literal["gamma"] = "gamma"
    exponent: float = Field(default=0.8, gt=0, le=10)

    def measure(self, blocks: Blocks, view: View) -> Facts:
        """The image's range."""
        return brightness(blocks, view)

    def apply(self, block: Array, view: View) -> Array:
        """Apply it to the block."""
        low, high, white = (view.measured[name] for name in ("low", "high", "white"))
        return on_luminance(
            block, len(view.shape), lambda grey: gamma(grey, exponent=self.exponent, low=low, high=high), white=white
        )

    def unit_after(self, unit: str) -> str:
        """The range stays, but what is not linear keeps no physical unit."""
        return unit if unit in SHOWN else "arbitrary"
