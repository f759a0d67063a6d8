"""WhiteStripe: MR standardized by its normal-appearing white matter (Shinohara et al., doi:10.1016/j.nicl.2014.08.008).

White matter is the largest part of the brain that a lesion leaves alone. Its peak is found in the smoothed histogram:
in T1 the brightest peak, in T2 and FLAIR the highest. The *stripe* is the voxels whose quantile is near the peak's; the
peak becomes 0 and the stripe's standard deviation 1.

For images of the head; best without the skull. As in the authors' program, values are taken above the image's mean, and
the tail where the histogram has sunk below a fifth of its height has no peaks. Departure: the histogram is smoothed by
a Gaussian, where the authors fit a spline.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from storage.errors import CaseError
from tasks.imaging.order_statistics import Region, histogram, inside, mapped, moments, quantiles
from tasks.imaging.standardize.zscore import zscore
from tasks.imaging.step import Array, Blocks, Facts, Kind, Step, View

BINS = 2000
TAIL = 0.2
"""Peaks are looked for only where the histogram is above this share of its height."""

Contrast = Literal["T1", "T2", "FLAIR"]


def white_matter_peak(
    counts: npt.NDArray[np.int64], centres: npt.NDArray[np.float64], *, contrast: Contrast, smoothing: float
) -> float:
    """Intensity of the peak that is white matter's.

    Parameters
    ----------
    counts, centres
        A histogram of the foreground.
    contrast
        T1: the peak of largest intensity; T2 and FLAIR: the highest peak.
    smoothing
        Standard deviation of the Gaussian, in bins.
    """
    from scipy.ndimage import gaussian_filter1d

    smooth = gaussian_filter1d(counts.astype(np.float64), smoothing, mode="constant")
    beside = np.concatenate([[0.0], smooth, [0.0]])
    peaks = np.flatnonzero((smooth >= beside[:-2]) & (smooth > beside[2:]) & (smooth >= TAIL * smooth.max()))
    return float(centres[peaks[-1] if contrast == "T1" else peaks[np.argmax(smooth[peaks])]])


class Settings(Step):
    """Standard deviations of white matter from its peak.

    Attributes
    ----------
    contrast
        Which peak of the histogram is white matter's.
    inside
        The foreground: ``above_mean``, or ``nonzero`` for a brain whose skull was taken off.
    half_width
        The stripe's reach on each side of the peak, as a share of the foreground's voxels.
    smoothing
        Of the histogram, as a share of its range (the foreground without the brightest 0.1 %).
    """

    name: Literal["white_stripe"] = "white_stripe"
    kinds = frozenset[Kind]({"2-D", "3-D"})
    contrast: Contrast = "T1"
    inside: Region = "above_mean"
    half_width: float = Field(default=0.05, gt=0, le=0.5)
    smoothing: float = Field(default=0.01, gt=0, le=0.2)

    def measure(self, blocks: Blocks, view: View) -> Facts:
        """The peak, and the stripe's ends, mean and standard deviation."""
        del view
        foreground = inside(blocks, self.inside)
        low, high = quantiles(foreground, (0.0, 0.999))
        if not low < high:
            raise CaseError("the image has no contrast in which white matter could be found")
        counts = histogram(foreground, bins=BINS, low=low, high=high)
        edges = np.linspace(low, high, BINS + 1)
        centres = (edges[1:] + edges[:-1]) / 2
        peak = white_matter_peak(counts, centres, contrast=self.contrast, smoothing=self.smoothing * BINS)
        share = moments(mapped(foreground, lambda values: (values < peak).astype(np.uint8))).mean
        ends = quantiles(foreground, (max(share - self.half_width, 0.0), min(share + self.half_width, 1.0)))
        stripe = moments(mapped(foreground, lambda values: values[(values >= ends[0]) & (values <= ends[1])]))
        if not stripe.count or not stripe.std > 0:
            raise CaseError("white matter has the same value everywhere: there is no spread to scale by")
        return {"peak": peak, "std": stripe.std, "low": ends[0], "high": ends[1]}

    def apply(self, block: Array, view: View) -> Array:
        """Standardize the block."""
        return zscore(block, mean=view.measured["peak"], std=view.measured["std"])

    def unit_after(self, unit: str) -> str:
        """Standard deviations."""
        del unit
        return "z"
