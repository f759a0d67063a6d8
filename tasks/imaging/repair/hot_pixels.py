"""Dead and hot pixels: single voxels that stand out from all around them, replaced by their neighbours' median.

A voxel is *defective* when two things hold:

- it is *isolated*: it exceeds every neighbour (8 in a picture, 26 in a volume) by at least four fifths of what it
  exceeds their mean by. What was imaged never is, for a scanner blurs a point into its neighbours; what a detector
  element or a bit error did, is.
- it stands out from the median of the 5 voxels along each axis around it by more than ``deviations`` times their median
  absolute deviation (made to be a standard deviation): Hampel's identifier (doi:10.1109/87.974338).
"""

from __future__ import annotations

import itertools
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from tasks.imaging.order_statistics import quantiles
from tasks.imaging.step import Array, Blocks, Facts, Index, Spacing, Step, View, floating, per_channel

REACH = 2
ISOLATION = 0.8
SIGMA_PER_MAD = 1.4826
"""Standard deviation of a normal distribution per median absolute deviation."""


def repair_hot_pixels(grey: Array, *, deviations: float = 8.0, least: float = 0.0) -> Array:
    """Replace defective voxels by the median of their neighbours.

    Parameters
    ----------
    grey
        ``(y, x)`` or ``(z, y, x)``.
    deviations
        Robust standard deviations that a defective voxel stands out by, at least.
    least
        Intensity that it stands out by, at least, from the neighbours' mean and from the median.

    Returns
    -------
    numpy.ndarray
        Of the same type; a median that an integer cannot be is rounded.
    """
    values = floating(grey)
    where = np.argwhere(isolated(values, least=least))
    mended = grey.copy()
    if len(where):
        around = _windows(values, where)
        median = np.nanmedian(around, axis=1)
        away = np.abs(values[tuple(where.T)] - median)
        spread = SIGMA_PER_MAD * np.nanmedian(np.abs(around - median[:, None]), axis=1)
        bad = (away > deviations * spread) & (away > least)
        put = np.nanmedian(_windows(values, where[bad], reach=1), axis=1) if bad.any() else median[:0]
        mended[tuple(where[bad].T)] = np.rint(put) if grey.dtype.kind in "iu" else put
    return mended


def isolated(values: Array, *, least: float = 0.0) -> npt.NDArray[np.bool_]:
    """Which voxels exceed (or fall short of) each neighbour by most of what they exceed the neighbours' mean by.

    Parameters
    ----------
    least
        What they exceed the mean by, at least.
    """
    highest, lowest = np.full_like(values, -np.inf), np.full_like(values, np.inf)
    total, count = np.zeros_like(values), np.zeros_like(values)
    for offset in itertools.product((-1, 0, 1), repeat=values.ndim):
        if any(offset):
            here = tuple(slice(max(0, -o), min(n, n - o)) for o, n in zip(offset, values.shape, strict=True))
            there = tuple(slice(max(0, o), min(n, n + o)) for o, n in zip(offset, values.shape, strict=True))
            np.maximum(highest[here], values[there], out=highest[here])
            np.minimum(lowest[here], values[there], out=lowest[here])
            total[here] += values[there]
            count[here] += 1
    away = values - total / np.maximum(count, 1)
    above = (away > least) & (values - highest > ISOLATION * away)
    below = (away < -least) & (lowest - values > -ISOLATION * away)
    return np.asarray((above | below) & (count > 0))


def _windows(values: Array, where: npt.NDArray[np.intp], reach: int = REACH) -> Array:
    """The values around voxels without their own, one row each; NaN outside the image."""
    padded = np.pad(values, reach, constant_values=np.nan)
    offsets = [o for o in itertools.product(range(2 * reach + 1), repeat=values.ndim) if o != (reach,) * values.ndim]
    return np.stack([padded[tuple((where + offset).T)] for offset in offsets], axis=1)


class Settings(Step):
    """Defective voxels replaced; of a coloured picture in each colour.

    Attributes
    ----------
    deviations
        How far a defective voxel stands out, in robust standard deviations around it.
    least_contrast
        And as a share of the image's range (its 0.5th to 99.5th percentile): where all around is the same, the spread
        is 0 and everything stands out.
    """

    name: Literal["hot_pixels"] = "hot_pixels"
    deviations: float = Field(default=8.0, ge=3, le=100)
    least_contrast: float = Field(default=0.1, ge=0, le=10)

    def halo(self, spacing_mm: Spacing) -> Index:
        """The window's reach."""
        return (REACH,) * len(spacing_mm)

    def measure(self, blocks: Blocks, view: View) -> Facts:
        """The range of intensities."""
        del view
        low, high = quantiles(blocks, (0.005, 0.995))
        return {"range": high - low}

    def apply(self, block: Array, view: View) -> Array:
        """Mend the block."""
        least = self.least_contrast * view.measured["range"]
        return per_channel(
            lambda grey: repair_hot_pixels(grey, deviations=self.deviations, least=least), block, len(view.shape)
        )

    def dtype_after(self, dtype: np.dtype[Any]) -> np.dtype[Any]:
        """The same: values are the image's own."""
        return dtype
