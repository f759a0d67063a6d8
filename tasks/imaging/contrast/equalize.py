"""Histogram equalization: every brightness becomes the share of the image that is darker (as scikit-image has it)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from pydantic import Field

from storage.errors import CaseError
from tasks.imaging.hue_kept import on_luminance, white_in
from tasks.imaging.luminance import luminances
from tasks.imaging.order_statistics import histogram, moments
from tasks.imaging.step import Array, Blocks, Facts, Step, View, floating


def equalize(grey: Array, *, low: float, high: float, darker: Sequence[float]) -> Array:
    """Map each value to the share of the image that is not brighter, 0 … 1.

    Parameters
    ----------
    low, high
        Ends of the image's histogram.
    darker
        For each bin, the share of the image in it and the ones before it; linear between the bins' centres.
    """
    values, edges = floating(grey), np.linspace(low, high, len(darker) + 1)
    return np.asarray(np.interp(values, (edges[1:] + edges[:-1]) / 2, darker), dtype=values.dtype)


class Settings(Step):
    """Histogram equalization over the whole image; of a coloured picture in its luminance.

    Attributes
    ----------
    bins
        Of the histogram, from the smallest value to the largest.
    """

    name: Literal["equalize"] = "equalize"
    bins: int = Field(default=256, ge=2, le=65536)

    def measure(self, blocks: Blocks, view: View) -> Facts:
        """The histogram's ends and its cumulated shares."""
        grey = luminances(blocks, view)
        whole = moments(grey)
        if not whole.minimum < whole.maximum:
            raise CaseError(f"the image has no contrast to equalize: all voxels are {whole.minimum:g}")
        counts = histogram(grey, bins=self.bins, low=whole.minimum, high=whole.maximum)
        darker = np.cumsum(counts) / whole.count
        return {"low": whole.minimum, "high": whole.maximum, "darker": darker.tolist(), "white": white_in(blocks, view)}

    def apply(self, block: Array, view: View) -> Array:
        """Map the block."""
        low, high, darker, white = (view.measured[name] for name in ("low", "high", "darker", "white"))
        return on_luminance(
            block,
            len(view.shape),
            lambda grey: equalize(grey, low=low, high=high, darker=darker),
            white=white,
            white_after=1.0,
        )

    def unit_after(self, unit: str) -> str:
        """From 0 to 1."""
        del unit
        return "share"
