"""Intensity-volume histogram: section 3.5 of the IBSI manual (arXiv:1612.07003).

It says for each intensity what share of the volume has at least that intensity. Two scales run from 0 to 1:

- the *volume fraction*, the share of the voxels of the intensity mask;
- the *intensity fraction*, from the lower to the upper end of the range of intensities. Those are the limits of
  re-segmentation where there are any, else the region's smallest and largest intensity.

The histogram has bins of its own, finer than those of the textures: a thousand between the smallest and the largest
intensity by default, which suits any image. For HU, whole numbers, the standard has ``method = "none"``: each number is
a bin. For SUV it has bins of one size, e.g. 0.1, named by the intensity at their centre. Bins of a fixed number are
named by their own number from 1 on, and so are the intensities that are asked for.

The standard's codes for any fraction are BC2M (volume), GBPN (intensity), DDTU and CNV2 (their differences); those of
the features are for 10 % and 90 %.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from storage.errors import CaseError
from storage.volume import FloatArray
from tasks.extract.discretize import MOST_LEVELS, Discretization, discretize
from tasks.extract.feature import FeatureInfo
from tasks.extract.region import RESPONSE, Region
from tasks.settings import StageSettings

ONE_BIN = "all intensities lie in one bin"


class Settings(StageSettings):
    """The bins of this histogram.

    Attributes
    ----------
    discretization
        As for textures, but ``"none"`` means whole numbers of either sign, and bins of one size begin and end with the
        range of intensities unless ``lowest`` says where they begin.
    """

    discretization: Discretization = Discretization(bins=1000)


def features(settings: Settings) -> dict[str, FeatureInfo]:
    """Volumes at 10 % and 90 % intensity, intensities at 10 % and 90 % volume, their differences, and the area."""
    unit = "1" if settings.discretization.method == "fixed_bin_number" else "intensity"
    above = "Share of the volume with at least {} % of the range of intensities."
    least = "Lowest intensity that at most {} % of the volume have or exceed."
    return {
        "volume_at_intensity_10": FeatureInfo("NK6P", "1", above.format(10), "ivh_v10", ONE_BIN),
        "volume_at_intensity_90": FeatureInfo("4279", "1", above.format(90), "ivh_v90", ONE_BIN),
        "intensity_at_volume_10": FeatureInfo("PWN1", unit, least.format(10), "ivh_i10", ONE_BIN),
        "intensity_at_volume_90": FeatureInfo("BOHI", unit, least.format(90), "ivh_i90", ONE_BIN),
        "volume_difference": FeatureInfo(
            "WITY", "1", "Volume at 10 % less volume at 90 % intensity.", "ivh_diff_v10_v90", ONE_BIN
        ),
        "intensity_difference": FeatureInfo(
            "JXJA", unit, "Intensity at 10 % less intensity at 90 % volume.", "ivh_diff_i10_i90", ONE_BIN
        ),
        "area_under_curve": FeatureInfo(
            "9CMM",
            "1",
            "Area under the volume over the intensity fraction, by the trapezoidal rule.",
            "ivh_auc",
            ONE_BIN,
        ),
    }


@dataclass(frozen=True)
class _Histogram:
    """Voxels by bin, and what the first bin and the steps to the next ones are called."""

    counts: npt.NDArray[np.int64]
    first: float
    step: float

    @property
    def volumes(self) -> FloatArray:
        """Share of the volume in each bin and those above it, and 0 above the last."""
        above = np.cumsum(self.counts[::-1])[::-1] / self.counts.sum()
        return np.append(above, 0.0)

    def volume_at(self, share: float) -> float:
        """Volume fraction at an intensity fraction."""
        # The first bin that reaches the fraction; what rounding adds to a whole number does not count.
        return float(self.volumes[int(np.ceil(share * (self.counts.size - 1) - 1e-9))])

    def intensity_at(self, share: float) -> float:
        """Intensity at a volume fraction; where the last bin holds more, the one after it."""
        return self.first + self.step * int(np.argmax(self.volumes <= share))


def compute(region: Region, settings: Settings) -> dict[str, float]:
    """The features of the region's intensity-volume histogram, by the names of `features`.

    Raises
    ------
    CaseError
        When intensities that are said to be whole numbers are not, or there would be too many bins.
    """
    histogram = _histogram(region.core, settings.discretization)
    if np.count_nonzero(histogram.counts) < 2:
        return dict.fromkeys(features(settings), float("nan"))
    volumes = [histogram.volume_at(share) for share in (0.1, 0.9)]
    intensities = [histogram.intensity_at(share) for share in (0.1, 0.9)]
    above = histogram.volumes[:-1]
    return {
        "volume_at_intensity_10": volumes[0],
        "volume_at_intensity_90": volumes[1],
        "intensity_at_volume_10": intensities[0],
        "intensity_at_volume_90": intensities[1],
        "volume_difference": volumes[0] - volumes[1],
        "intensity_difference": intensities[0] - intensities[1],
        "area_under_curve": float(np.trapezoid(above) / (above.size - 1)),
    }


def _histogram(region: Region, bins: Discretization) -> _Histogram:
    low, high = _range(region)
    if region.unit == RESPONSE and bins.method != "fixed_bin_number":
        bins = region.discretization  # bins in the image's unit mean nothing on a response map
    if bins.method == "none":
        return _of_whole_numbers(region.values, low, high)
    if bins.method == "fixed_bin_size" and bins.lowest is None:
        bins = bins.model_copy(update={"lowest": low})
    levels = discretize(region.image, region.counted, bins)
    count = levels.count
    if bins.method == "fixed_bin_size":
        # The range goes on beyond the highest intensity, to the upper limit.
        count = max(count, int(np.floor((high - levels.lowest) / levels.width)) + 1)
    counts = np.bincount(levels.array[region.counted], minlength=count + 1)[1:]
    if bins.method == "fixed_bin_number":
        return _Histogram(counts, 1.0, 1.0)
    return _Histogram(counts, levels.lowest + levels.width / 2, levels.width)


def _of_whole_numbers(values: FloatArray, low: float, high: float) -> _Histogram:
    first, last = int(np.ceil(low)), int(np.floor(high))
    if (values != np.rint(values)).any():
        raise CaseError("expected whole numbers as intensities; choose bins of a fixed number or size")
    if last - first >= MOST_LEVELS:
        raise CaseError(f"{last - first + 1} intensities; expected at most {MOST_LEVELS}: choose bins")
    counts = np.bincount(values.astype(np.int64) - first, minlength=last - first + 1)
    return _Histogram(counts, float(first), 1.0)


def _range(region: Region) -> tuple[float, float]:
    low, high = region.limits
    return (
        float(region.values.min()) if low is None else low,
        float(region.values.max()) if high is None else high,
    )
