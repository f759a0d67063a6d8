"""A fixed range of intensities brought to 0 … 1, or to −1 … 1: the scale that networks like, the same for every image.

Unlike a stretch by percentiles it does not depend on what else an image shows, so that a value means the same tissue in
all of them. Where the unit says nothing about a range, it is the image's own.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field, field_validator

from storage.errors import CaseError
from tasks.imaging.order_statistics import moments
from tasks.imaging.step import Array, Blocks, Facts, Step, View, floating

RANGE_BY_UNIT = {"HU": (-1000.0, 400.0), "SUV": (0.0, 20.0)}
"""Air to dense soft tissue (the range of lung CT, LUNA16 doi:10.1016/j.media.2017.06.015); SUV of most tumours."""


def rescale(array: Array, *, low: float, high: float, to: tuple[float, float] = (0.0, 1.0), cut: bool = True) -> Array:
    """Map ``low … high`` to the range ``to``, linearly.

    Parameters
    ----------
    cut
        Whether what lies outside is cut to the ends; otherwise the line goes on.
    """
    share = (floating(array) - low) / (high - low)
    if cut:
        share = np.clip(share, 0, 1)
    return np.asarray(to[0] + share * (to[1] - to[0]), dtype=share.dtype)


class Settings(Step):
    """A range of intensities brought to another.

    Attributes
    ----------
    range
        In the unit of the image; ``None``: HU −1000 … 400, SUV 0 … 20, of other units the image's own extremes.
    to
        Range of the result.
    cut
        Whether values outside are cut to its ends.
    """

    name: Literal["rescale"] = "rescale"
    range: tuple[float, float] | None = None
    to: tuple[float, float] = Field(default=(0.0, 1.0))
    cut: bool = True

    @field_validator("range", "to")
    @classmethod
    def _ascending(cls, value: tuple[float, float] | None) -> tuple[float, float] | None:
        if value is not None and not value[0] < value[1]:
            raise ValueError(f"expected the lower end first; got {value[0]:g} and {value[1]:g}")
        return value

    def measure(self, blocks: Blocks, view: View) -> Facts:
        """The range; the image is looked at only where neither the settings nor the unit say it."""
        ends = self.range or RANGE_BY_UNIT.get(view.unit)
        if ends is None:
            whole = moments(blocks)
            ends = whole.minimum, whole.maximum
            if not ends[0] < ends[1]:
                raise CaseError(f"the image has no range to scale: all voxels are {ends[0]:g}")
        return {"low": ends[0], "high": ends[1]}

    def apply(self, block: Array, view: View) -> Array:
        """Scale the block."""
        return rescale(block, low=view.measured["low"], high=view.measured["high"], to=self.to, cut=self.cut)

    def unit_after(self, unit: str) -> str:
        """A share of the range, unless it was brought to another."""
        del unit
        return "share" if self.to == (0.0, 1.0) and self.cut else "arbitrary"
