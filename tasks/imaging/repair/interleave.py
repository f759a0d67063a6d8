"""Brightness that jumps from slice to slice in MR, evened out.

Slices are often acquired in two interleaved passes whose gain differs, and single slices fall out. From each slice to
the next the *step* is the median, over voxels inside the body in both, of the logarithm of their ratio: for a voxel and
the one beside it anatomy averages out, where medians of whole slices would follow it. The steps add up to a curve along
the slices, and only what no anatomy does is taken from it:

- the *alternation* of odd and even slices: what each slice exceeds the mean of its two neighbours by, with the sign
  turned in every other slice, and the running median of that;
- then *single slices* that are brighter, or darker, than both neighbours by far more than slices are.

Drifts and steps (the end of the head, a slow loss of signal) cannot be told from anatomy, and stay.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from tasks.imaging.order_statistics import region_threshold
from tasks.imaging.slabs import slabs
from tasks.imaging.step import Array, Blocks, Facts, Kind, Step, View, floating

SIGMA_PER_MAD = 1.4826
LEAST_VOXELS = 50
"""Voxels inside the body in two neighbouring slices, below which nothing is said about their ratio."""


def slice_gains(
    steps: Sequence[float], *, window_slices: int = 11, deviations: float = 4.0, least: float = 0.03, most: float = 2.0
) -> list[float]:
    """What each slice is brighter by than its neighbours let expect, as a factor.

    Parameters
    ----------
    steps
        Logarithm of the ratio of each slice to the one before it, from the second slice on; 0 where it is unknown.
    window_slices
        The alternation is the median over so many slices; an image with fewer has none.
    deviations, least
        A single slice differs from both neighbours by more than so many robust standard deviations of all slices, and
        by more than the logarithm ``least``.
    most
        Gains are kept within this factor.
    """
    curve = np.concatenate([[0.0], np.cumsum(steps)])
    pattern = _alternation(curve, window_slices)
    rest = curve - pattern
    before, after = rest[1:-1] - rest[:-2], rest[1:-1] - rest[2:]
    apart = np.where(before * after > 0, np.minimum(np.abs(before), np.abs(after)), 0.0)
    spread = SIGMA_PER_MAD * float(np.median(np.abs(before + after))) / 2 if len(apart) else 0.0
    single = np.zeros(len(curve))
    single[1:-1] = np.where(apart > max(deviations * spread, least), (before + after) / 2, 0.0)
    limit = np.log(most)
    return [float(gain) for gain in np.exp(np.clip(pattern + single, -limit, limit))]


def _alternation(curve: npt.NDArray[np.float64], window: int) -> npt.NDArray[np.float64]:
    """The part of a curve that changes its sign from slice to slice."""
    if len(curve) < window:
        return np.zeros(len(curve))
    sign = np.where(np.arange(len(curve)) % 2, -1.0, 1.0)
    excess = (curve[1:-1] - (curve[:-2] + curve[2:]) / 2) / 2 * sign[1:-1]
    width = min(window, len(excess))
    medians = np.median(np.lib.stride_tricks.sliding_window_view(excess, width), axis=1)
    ends = len(curve) - len(medians)
    return np.pad(medians, (ends // 2, ends - ends // 2), mode="edge") * sign


def log_ratio(slice_: Array, before: Array, threshold: float) -> float:
    """Median logarithm of the ratio of two slices where both are above a threshold; 0 where hardly any voxel is."""
    both = (slice_ > threshold) & (before > threshold)
    if both.sum() < LEAST_VOXELS:
        return 0.0
    return float(np.median(np.log(slice_[both].astype(np.float64) / before[both])))


class Settings(Step):
    """Each slice divided by what it is brighter by than its neighbours let expect.

    Attributes
    ----------
    window_slices, deviations, least, most
        As in :func:`slice_gains`.
    """

    name: Literal["interleave"] = "interleave"
    kinds = frozenset[Kind]({"3-D"})
    window_slices: int = Field(default=11, ge=5, le=101)
    deviations: float = Field(default=4.0, ge=2, le=100)
    least: float = Field(default=0.03, gt=0, le=1)
    most: float = Field(default=2.0, gt=1, le=10)

    def measure(self, blocks: Blocks, view: View) -> Facts:
        """The gain of each slice. The body is what is above Otsu's threshold, and above 0."""
        threshold = max(region_threshold(blocks, "patient") or 0.0, 0.0)
        steps: list[float] = []
        before: Array | None = None
        for _, slab in slabs(blocks, view.shape):
            for plane in slab:
                if before is not None:
                    steps.append(log_ratio(plane, before, threshold))
                before = plane
        gains = slice_gains(
            steps, window_slices=self.window_slices, deviations=self.deviations, least=self.least, most=self.most
        )
        return {"gains": gains}

    def apply(self, block: Array, view: View) -> Array:
        """Divide the block's slices."""
        values = floating(block)
        gains = np.asarray(view.measured["gains"][view.start[0] :][: len(block)], dtype=values.dtype)
        return np.asarray(values / gains[:, None, None])
