"""The liver on CT, where contrast allows: the largest even mass in the patient's right, at the peak of its histogram.

Deep below the skin on the right, most soft tissue is liver: the highest peak of the histogram there is its intensity,
and half the width of that peak what it spreads. What lies within, after smoothing, is cut from wall, heart and bowel by
an opening; the largest piece on the right is grown back and closed (in the way of Campadelli et al. 2009,
doi:10.1016/j.artmed.2008.07.020, without their learnt steps). Where the liver is no brighter or darker than the muscle
that it touches, this leaks: its shape and place then say so, and the mask is refused.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field
from scipy import ndimage

from storage.errors import CaseError
from storage.volume import Triple
from tasks.imaging.morphology import BoolArray, close_mask, distance_mm, fill_slices, label_components
from tasks.imaging.organ import Labels, Organ, Remark, beyond
from tasks.imaging.organs.body import body_mask
from tasks.imaging.step import Array, Kind, View

SOFT_HU = (0.0, 220.0)
"""Liver without and with contrast medium, fatty ones included."""
DEEP_MM = 25.0
BIN_HU = 4.0
WIDTHS = 2.4
"""Multiples of the peak's spread that are still liver."""
LEAST_SPREAD_HU = 12.0
LEAST_VOLUME_ML = 100.0


class Settings(Organ):
    """The liver in a CT: the largest even mass on the right, at the peak of its histogram.

    Attributes
    ----------
    smoothing_mm
        Standard deviation of the Gaussian before thresholding.
    opening_mm
        Half the width of the widest bridge to wall, heart or bowel that is cut.
    closing_mm
        Radius of the ball that closes vessels and clefts.
    usual_l
        Litres that nobody has to look at, of a liver that is imaged whole; above, the mask is refused.
    """

    kinds: ClassVar[frozenset[Kind]] = frozenset({"3-D"})
    units: ClassVar[frozenset[str] | None] = frozenset({"HU"})

    name: Literal["liver"] = "liver"
    smoothing_mm: float = Field(2.0, ge=0)
    opening_mm: float = Field(7.0, gt=0)
    closing_mm: float = Field(6.0, ge=0)
    usual_l: tuple[float, float] = (0.7, 3.5)

    def segment(self, array: Array, view: View, body: BoolArray | None) -> BoolArray:
        """The liver, by :func:`liver_mask`."""
        z, y, x = view.spacing_mm
        spacing_mm: Triple = (z, y, x)
        if body is None:
            body = body_mask(array, spacing_mm=spacing_mm, unit="HU")
        return liver_mask(array, body, spacing_mm=spacing_mm, right=_right_half(body, view), settings=self)

    def examine(self, labels: Labels, array: Array, view: View) -> Iterable[Remark]:
        """A volume, a place and an evenness as a liver has."""
        mask = labels > 0
        litres = float(mask.sum() * np.prod(view.spacing_mm)) / 1e6
        yield from beyond("volume", litres, "l", usual=self.usual_l, possible=(0.0, 4.5))
        x = np.flatnonzero(mask.any(axis=(0, 1)))
        body = np.flatnonzero((array > SOFT_HU[0]).any(axis=(0, 1)))
        width = 100.0 * (x[-1] - x[0] + 1) / (body[-1] - body[0] + 1)
        yield from beyond("share of the body's width", width, "%", usual=(20, 80), possible=(5, 90))
        right = 100.0 * float(mask[:, :, _right_half(array > SOFT_HU[0], view)].sum()) / float(mask.sum())
        yield from beyond("share on the right", right, "%", usual=(65, 100), possible=(50, 100))
        spread = float(np.subtract(*np.percentile(array[mask], [75, 25]))) / 1.35
        yield from beyond("spread", spread, "HU", usual=(0, 60))


def liver_mask(
    hu: npt.NDArray[Any], body: BoolArray, *, spacing_mm: Triple, right: BoolArray, settings: Settings | None = None
) -> BoolArray:
    """Find the liver.

    Parameters
    ----------
    hu
        CT ``(z, y, x)`` in HU.
    body
        Body mask of the same shape.
    spacing_mm
        Voxel spacing ``(z, y, x)`` in mm.
    right
        Boolean, the length of x: what lies in the patient's right half.
    settings
        ``None``: the defaults.

    Raises
    ------
    CaseError
        When there is no peak of soft tissue on the right, or nothing even and large enough at it.
    """
    settings = settings or Settings()
    smooth = np.asarray(hu, dtype=np.float32)
    if settings.smoothing_mm:
        smooth = ndimage.gaussian_filter(smooth, [settings.smoothing_mm / s for s in spacing_mm], mode="nearest")
    deep = (distance_mm(~body, spacing_mm) > DEEP_MM) & right
    peak, spread = _peak(smooth[deep])
    alike = (np.abs(smooth - peak) < WIDTHS * spread) & body
    core = distance_mm(~alike, spacing_mm) > settings.opening_mm
    piece = _largest_on(core, right, float(np.prod(spacing_mm)) / 1000.0)
    grown = (distance_mm(piece, spacing_mm) <= settings.opening_mm + 1.0) & alike
    return fill_slices(close_mask(grown, radius_mm=settings.closing_mm, spacing_mm=spacing_mm)) & body


def _right_half(body: BoolArray, view: View) -> BoolArray:
    """Columns on the patient's right of the body's middle."""
    columns = np.arange(body.shape[2])
    middle = float(np.average(columns, weights=body.sum(axis=(0, 1))))
    to_left = 1.0 if view.direction is None else view.direction[0][2]
    return np.asarray(columns < middle if to_left >= 0 else columns > middle)


def _peak(values: npt.NDArray[np.float32]) -> tuple[float, float]:
    """Highest peak of soft tissue, and the standard deviation of a Gaussian as wide at half its height."""
    counts, edges = np.histogram(values, bins=np.arange(SOFT_HU[0], SOFT_HU[1] + BIN_HU, BIN_HU))
    even = np.asarray(ndimage.gaussian_filter1d(counts.astype(float), 1.5))
    top = int(np.argmax(even))
    if even[top] < 1 or top in (0, len(even) - 1):
        raise CaseError("no liver found: there is no peak of soft tissue on the right, deep below the skin")
    half = even >= 0.5 * even[top]
    runs, _ = ndimage.label(half)
    width = float((runs == runs[top]).sum()) * BIN_HU
    return float(edges[top] + BIN_HU / 2.0), max(LEAST_SPREAD_HU, width / 2.355)


def _largest_on(core: BoolArray, right: BoolArray, voxel_ml: float) -> BoolArray:
    """The piece with most voxels on the right; ``CaseError`` where it is small."""
    labels, _ = label_components(core)
    sizes = np.bincount(labels[:, :, right].ravel(), minlength=1)
    sizes[0] = 0
    label = int(np.argmax(sizes))
    if sizes[label] * voxel_ml < LEAST_VOLUME_ML / 4.0:
        raise CaseError(
            f"no liver found: contrast does not allow it; the largest even mass on the right has a core of "
            f"{sizes[label] * voxel_ml:.0f} ml, expected at least {LEAST_VOLUME_ML / 4.0:.0f} ml"
        )
    return np.asarray(labels == label)
