"""Brightness that jumps from slice to slice in MR, evened out.

Slices are often acquired in two interleaved passes, and the receiver's gain drifts: odd and even slices differ, single
slices fall out. From each slice to the next the *step* is the median, over voxels inside the body in both, of the
logarithm of their ratio: for a voxel and the one beside it anatomy averages out, where medians of whole slices would
follow it. The steps add up to a curve along the slices. Its smooth part is anatomy, or a slow drift that cannot be told
from anatomy, and stays; what is left of it, the alternation and single jumps, is divided out.
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

LEAST_VOXELS = 50
"""Voxels inside the body in two neighbouring slices, below which nothing is said about their ratio."""


def slice_gains(steps: Sequence[float], *, smoothing_slices: float = 2.0, largest: float = 2.0) -> list[float]:
    """What each slice is brighter by than its smooth course says.

    Parameters
    ----------
    steps
        Logarithm of the ratio of each slice to the one before it, from the second slice on; 0 where it is unknown.
    smoothing_slices
        Standard deviation of the Gaussian that takes out the course, in slices. An alternation is damped by it to
        ``exp(-(π · smoothing_slices)² / 2)``: nothing of it counts as anatomy.
    largest
        Gains are kept within this factor.
    """
    from scipy.ndimage import gaussian_filter1d

    curve = np.concatenate([[0.0], np.cumsum(steps)])
    reach = min(len(curve) - 1, int(4 * smoothing_slices + 0.5))
    # Continued beyond its ends by its own point reflection: a slope goes on.
    longer: npt.NDArray[np.float64] = np.pad(curve, reach, mode="reflect", reflect_type="odd") if reach else curve
    smooth = gaussian_filter1d(longer, smoothing_slices, mode="nearest")[reach : reach + len(curve)]
    limit = np.log(largest)
    return [float(gain) for gain in np.exp(np.clip(curve - smooth, -limit, limit))]


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
    smoothing_slices
        Changes slower than this are anatomy.
    largest
        No slice is changed by more than this factor.
    """

    name: Literal["interleave"] = "interleave"
    kinds = frozenset[Kind]({"3-D"})
    smoothing_slices: float = Field(default=2.0, ge=0.8, le=20)
    largest: float = Field(default=2.0, gt=1, le=10)

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
        return {"gains": slice_gains(steps, smoothing_slices=self.smoothing_slices, largest=self.largest)}

    def apply(self, block: Array, view: View) -> Array:
        """Divide the block's slices."""
        values = floating(block)
        gains = np.asarray(view.measured["gains"][view.start[0] :][: len(block)], dtype=values.dtype)
        return np.asarray(values / gains[:, None, None])
