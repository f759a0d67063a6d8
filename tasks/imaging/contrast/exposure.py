"""Exposure: an image as if it had been taken brighter or darker, with what would be over- or underexposed cut.

Unlike gamma it is linear, and what leaves the range is lost.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from tasks.imaging.hue_kept import brightness, on_luminance
from tasks.imaging.step import SHOWN, Array, Blocks, Facts, Step, View, floating


def expose(grey: Array, *, stops: float, offset: float, low: float, high: float) -> Array:
    """``share * 2 ** stops + offset``, cut to 0 … 1, where ``share`` is a value's place between ``low`` and ``high``.

    Parameters
    ----------
    stops
        Each doubles (or, below 0, halves) the light.
    offset
        Added brightness, as a share of the range.
    low, high
        Black and white. An image without a range stays as it is.
    """
    values = floating(grey)
    if not low < high:
        return values.copy()
    share = np.clip((values - low) / (high - low) * 2.0**stops + offset, 0, 1)
    return np.asarray(low + (high - low) * share, dtype=values.dtype)


class Settings(Step):
    """Another exposure between the image's darkest and brightest value; of a coloured picture in its luminance.

    Attributes
    ----------
    stops, offset
        As in :func:`expose`.
    """

    name: Literal["exposure"] = "exposure"
    stops: float = Field(default=0.5, ge=-8, le=8)
    offset: float = Field(default=0.0, ge=-1, le=1)

    def measure(self, blocks: Blocks, view: View) -> Facts:
        """The image's range."""
        return brightness(blocks, view)

    def apply(self, block: Array, view: View) -> Array:
        """Apply it to the block."""
        low, high, white = (view.measured[name] for name in ("low", "high", "white"))
        return on_luminance(
            block,
            len(view.shape),
            lambda grey: expose(grey, stops=self.stops, offset=self.offset, low=low, high=high),
            white=white,
        )

    def unit_after(self, unit: str) -> str:
        """The range stays, but what is not linear keeps no physical unit."""
        return unit if unit in SHOWN else "arbitrary"
