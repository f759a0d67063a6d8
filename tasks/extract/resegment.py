"""Which voxels of a region have an intensity that counts: re-segmentation, section 2.6 of the IBSI manual.

The *morphological mask* is the region as it was drawn: shape and distances to the border are measured on it. The
*intensity mask* leaves out what cannot be the tissue in question: air in a tumour's contour, metal. Statistics and
textures are measured on it.
"""

from __future__ import annotations

from typing import Self

import numpy as np
from pydantic import Field, model_validator

from storage.volume import FloatArray
from tasks.imaging.morphology import BoolArray
from tasks.settings import StageSettings


class Resegmentation(StageSettings):
    """What is left out.

    Attributes
    ----------
    lowest, highest
        Intensities outside of these, in the image's unit (USB3); ``None``: no limit.
    outliers_sd
        Intensities so many standard deviations from the mean (7ACA; 3 is usual); ``None``: all stay. Mean and standard
        deviation are those of the morphological mask within ``lowest`` and ``highest``.
    """

    lowest: float | None = None
    highest: float | None = None
    outliers_sd: float | None = Field(None, gt=0)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.lowest is not None and self.highest is not None and self.lowest >= self.highest:
            raise ValueError(f"lowest must be below highest; got {self.lowest:g} and {self.highest:g}")
        return self


def resegment(image: FloatArray, mask: BoolArray, settings: Resegmentation) -> BoolArray:
    """The intensity mask within a morphological mask; it may be empty. ``image`` and ``mask`` have one shape."""
    if settings == Resegmentation():
        return mask
    inside = mask.copy()
    if settings.lowest is not None:
        inside &= image >= np.float64(settings.lowest)  # not rounded to the image's type, as bins are not
    if settings.highest is not None:
        inside &= image <= np.float64(settings.highest)
    if settings.outliers_sd is not None and inside.any():
        values = np.asarray(image[inside], dtype=np.float64)
        mean, reach = values.mean(), settings.outliers_sd * values.std()
        inside &= (image >= mean - reach) & (image <= mean + reach)
    return inside
