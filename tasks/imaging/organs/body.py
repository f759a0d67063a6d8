"""The patient in the image: body mask by the intensity's unit.

- ``HU`` (CT): above a threshold, default −300 HU, between air and fat.
- ``SUV`` (PET): above a threshold after smoothing, default 0.15, between the noise outside and resting muscle
  (0.2–0.5).
- ``arbitrary`` (MR and others): above a fraction of Otsu's threshold (doi:10.1109/TSMC.1979.4310076). Otsu's own value
  separates fat from muscle where the image holds little air; half of it separates tissue from air.

Small pieces (table, noise) are dropped, and holes (lungs, bowel gas) are filled slice by slice.
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
from tasks.imaging.morphology import BoolArray, fill_slices, keep_large_components
from tasks.imaging.organ import Labels, Organ, Remark, beyond
from tasks.imaging.step import Array, Kind, View

THRESHOLD_BY_UNIT = {"HU": -300.0, "SUV": 0.15}


class Settings(Organ):
    """The patient: what is brighter than air, without table and noise, lungs and bowel gas filled.

    Attributes
    ----------
    threshold
        In the image's unit; ``None``: −300 for HU, 0.15 for SUV, and ``otsu_fraction`` times Otsu's threshold for other
        units.
    otsu_fraction
        Times Otsu's threshold, counted from the image's minimum; used only where ``threshold`` is ``None`` and the unit
        has none.
    smoothing_sigma_mm
        Gaussian before thresholding, in mm.
    keep_fraction
        Pieces smaller than this fraction of the largest are dropped. Below 1, so that two legs remain two legs.
    """

    kinds: ClassVar[frozenset[Kind]] = frozenset({"3-D"})

    name: Literal["body"] = "body"
    threshold: float | None = None
    otsu_fraction: float = Field(0.5, gt=0, le=1)
    smoothing_sigma_mm: float = Field(2.0, ge=0)
    keep_fraction: float = Field(0.1, gt=0, le=1)

    def segment(self, array: Array, view: View, body: BoolArray | None) -> BoolArray:
        """The body, by :func:`body_mask`."""
        del body
        z, y, x = view.spacing_mm
        return body_mask(array, spacing_mm=(z, y, x), unit=view.unit, settings=self)

    def examine(self, labels: Labels, array: Array, view: View) -> Iterable[Remark]:
        """A body fills a fair share of a scan, and is more than a limb of a child."""
        del array, view
        return beyond("share of the scan", 100 * float((labels > 0).mean()), "%", usual=(2.0, 99.9))


def body_mask(array: npt.NDArray[Any], *, spacing_mm: Triple, unit: str, settings: Settings | None = None) -> BoolArray:
    """Find the body.

    Parameters
    ----------
    array
        Image ``(z, y, x)``, slices along z.
    spacing_mm
        Voxel spacing ``(z, y, x)`` in mm.
    unit
        ``"HU"``, ``"SUV"`` or ``"arbitrary"``.
    settings
        ``None``: the defaults.

    Returns
    -------
    numpy.ndarray
        Boolean, same shape.

    Raises
    ------
    CaseError
        When nothing is above the threshold, or everything has the same intensity.
    """
    settings = settings or Settings()
    smooth = np.asarray(array, dtype=np.float32)
    if settings.smoothing_sigma_mm:
        smooth = ndimage.gaussian_filter(smooth, [settings.smoothing_sigma_mm / s for s in spacing_mm], mode="nearest")
    above = smooth > threshold_of(smooth, unit, settings)
    if not above.any():
        raise CaseError(f"no body found: no voxel above the threshold ({unit}); maximum is {float(smooth.max()):.4g}")
    return fill_slices(keep_large_components(above, fraction=settings.keep_fraction))


def threshold_of(smooth: npt.NDArray[Any], unit: str, settings: Settings) -> float:
    """What the body is brighter than; ``CaseError`` where that is asked of an image of one intensity."""
    if settings.threshold is not None:
        return settings.threshold
    if unit in THRESHOLD_BY_UNIT:
        return THRESHOLD_BY_UNIT[unit]
    low, high = float(smooth.min()), float(smooth.max())
    if not low < high:
        raise CaseError(f"no body found: all voxels have intensity {low:.4g}; expected a range")
    from skimage.filters import threshold_otsu

    return low + settings.otsu_fraction * (float(threshold_otsu(smooth.ravel())) - low)
