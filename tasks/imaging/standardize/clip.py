"""Intensities cut to a range: what a scanner cannot have meant is taken off, the scale stays.

CT keeps Hounsfield units and PET keeps SUV: both are physical scales, and only impossible values are cut.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from pydantic import field_validator

from tasks.imaging.step import Array, Step, View

RANGE_BY_UNIT = {"HU": (-1024.0, 3071.0), "SUV": (0.0, 100.0)}
"""What 12 bits of CT can say, and more than any tissue takes up; of other units nothing is known."""


def clip(array: Array, *, low: float, high: float) -> Array:
    """Cut to ``low … high``; the type is kept where it can hold both ends or need not, else float32 (float64 stays)."""
    dtype = clipped_dtype(array.dtype, low, high)
    if dtype.kind in "iu":
        ends = np.iinfo(dtype)
        low, high = int(max(low, ends.min)), int(min(high, ends.max))
    return np.asarray(np.clip(array.astype(dtype, copy=False), low, high))


def clipped_dtype(dtype: np.dtype[Any], low: float, high: float) -> np.dtype[Any]:
    """The type of what was cut: the same, unless an integer could not be one of the ends."""
    if dtype in (np.float32, np.float64):
        return dtype
    if dtype.kind in "iu" and float(low).is_integer() and float(high).is_integer():
        ends = np.iinfo(dtype)
        if low <= ends.max and high >= ends.min:
            return dtype
    return np.dtype(np.float32)


class Settings(Step):
    """Intensities cut to a range.

    Attributes
    ----------
    range
        In the unit of the image; ``None``: HU −1024 … 3071, SUV 0 … 100, other units unchanged.
    """

    name: Literal["clip"] = "clip"
    range: tuple[float, float] | None = None

    @field_validator("range")
    @classmethod
    def _ascending(cls, value: tuple[float, float] | None) -> tuple[float, float] | None:
        if value is not None and not value[0] < value[1]:
            raise ValueError(f"expected the lower end first; got {value[0]:g} and {value[1]:g}")
        return value

    def dtype_after(self, dtype: np.dtype[Any]) -> np.dtype[Any]:
        """The same, unless integers cannot be the ends of the range."""
        return clipped_dtype(dtype, *(self.range or RANGE_BY_UNIT["HU"]))

    def apply(self, block: Array, view: View) -> Array:
        """Cut the block."""
        ends = self.range or RANGE_BY_UNIT.get(view.unit)
        if ends is None:
            return block.astype(self.dtype_after(block.dtype))
        return clip(block, low=ends[0], high=ends[1])
