"""Dead and hot lines: rows or columns of a slice that differ from those beside them, replaced by interpolation.

A pixel departs by its difference from the median of the pixels across the line: none does at a step, such as the end
of the field of view. A line's *departure* is what four fifths of its pixels depart by, all in one direction: a scale
bar or the cleft between the halves of a brain has none. A line is bad when its departure is an outlier among the
slice's lines, and a visible share of the slice's range.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from tasks.imaging.luminance import luminance
from tasks.imaging.slabs import slabs
from tasks.imaging.step import Array, Blocks, Facts, Index, Spacing, Step, View, floating

SIGMA_PER_MAD = 1.4826
MOST_OF_LINE = 0.8
LEAST_LENGTH = 8
"""Pixels along a line, and lines beside it, below which nothing is said about lines."""


def find_bad_lines(
    plane: Array, *, axis: int, deviations: float = 10.0, least_contrast: float = 0.05, widest: int = 2
) -> list[int]:
    """Places of bad lines in a slice.

    Parameters
    ----------
    plane
        ``(y, x)``.
    axis
        0 for rows, 1 for columns.
    deviations
        Robust standard deviations, taken of the lines' median differences.
    least_contrast
        Share of the slice's range (0.5th to 99.5th percentile) that a line departs by, at least.
    widest
        Bad lines side by side, at most; a broader band is an object.
    """
    from scipy import ndimage

    values = floating(plane if axis == 0 else plane.T)
    if min(values.shape) < LEAST_LENGTH:
        return []
    across = ndimage.median_filter(values, size=(2 * widest + 1, 1), mode="mirror")
    below, middle, beyond = np.quantile(values - across, (1 - MOST_OF_LINE, 0.5, MOST_OF_LINE), axis=1)
    departure = np.maximum(below, -beyond)
    spread = SIGMA_PER_MAD * np.median(np.abs(middle - np.median(middle)))
    low, high = np.quantile(values, (0.005, 0.995))
    bad = (departure > deviations * spread) & (departure > least_contrast * (high - low)) & (departure > 0)
    labels, count = ndimage.label(bad)
    width = np.bincount(labels, minlength=count + 1)
    return [int(i) for i in np.flatnonzero(bad & (width[labels] <= widest))]


def interpolate_lines(planes: Array, lines: Sequence[int], *, axis: int) -> Array:
    """Replace lines by what lies between the good ones beside them, linearly; at the border by the nearest good one.

    Parameters
    ----------
    planes
        Any array with lines along ``axis``.
    lines
        Places along that axis, within the array.
    """
    bad = set(lines)
    mended = planes.copy()
    target = np.moveaxis(mended, axis, 0)
    source = floating(np.moveaxis(planes, axis, 0))
    for line in lines:
        before = next((i for i in range(line - 1, -1, -1) if i not in bad), None)
        after = next((i for i in range(line + 1, len(source)) if i not in bad), None)
        beside = [i for i in (before, after) if i is not None]
        if before is None or after is None:
            between = source[beside[0]] if beside else source[line]
        else:
            share = (line - before) / (after - before)
            between = source[before] * (1 - share) + source[after] * share
        target[line] = np.rint(between) if planes.dtype.kind in "iu" else between
    return mended


class Settings(Step):
    """Bad rows and columns of each slice replaced; in a coloured picture they are found in its luminance.

    Attributes
    ----------
    deviations, least_contrast, widest
        As in :func:`find_bad_lines`.
    """

    name: Literal["bad_lines"] = "bad_lines"
    deviations: float = Field(default=10.0, ge=3, le=1000)
    least_contrast: float = Field(default=0.05, gt=0, le=1)
    widest: int = Field(default=2, ge=1, le=8)

    def halo(self, spacing_mm: Spacing) -> Index:
        """As far as the next good line, within slices."""
        return (0,) * (len(spacing_mm) - 2) + (self.widest, self.widest)

    def measure(self, blocks: Blocks, view: View) -> Facts:
        """``lines``: ``[slice, axis, place]`` of each bad one; a picture is slice 0."""
        found: list[list[int]] = []
        for first, slab in slabs(blocks, view.shape):
            for place, plane in enumerate(slab):
                grey = luminance(plane, 2)
                found += [[first + place, axis, line] for axis in (0, 1) for line in self._find(grey, axis)]
        return {"lines": found}

    def _find(self, plane: Array, axis: int) -> list[int]:
        return find_bad_lines(
            plane, axis=axis, deviations=self.deviations, least_contrast=self.least_contrast, widest=self.widest
        )

    def apply(self, block: Array, view: View) -> Array:
        """Mend the lines that cross the block."""
        is_volume = len(view.shape) == 3
        mended = block.copy() if is_volume else block.copy()[None]
        starts = view.start if is_volume else (0, *view.start)
        lines: npt.NDArray[np.intp] = np.asarray(view.measured["lines"], dtype=np.intp).reshape(-1, 3)
        for place in np.unique(lines[:, 0]):
            if 0 <= place - starts[0] < len(mended):
                for axis in (0, 1):
                    here = lines[(lines[:, 0] == place) & (lines[:, 1] == axis), 2] - starts[1 + axis]
                    within = [int(i) for i in here if 0 <= i < mended.shape[1 + axis]]
                    mended[place - starts[0]] = interpolate_lines(mended[place - starts[0]], within, axis=axis)
        return mended if is_volume else mended[0]

    def dtype_after(self, dtype: np.dtype[Any]) -> np.dtype[Any]:
        """The same."""
        return dtype
