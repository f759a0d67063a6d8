"""The imaged tissue of a breast ultrasound, without frame, letters and marks.

Around the tissue the screen is black, and nothing but black: tissue, even a cyst, has speckle around it. So the local
mean of the brightness, at the scale of a few speckles, is thresholded low. Letters, scales and marks are thin or lie
apart: an opening and the largest piece leave them out. Cysts and shadows inside are filled; where a shadow reaches the
lower edge, a closing spans it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field
from scipy import ndimage

from storage.errors import CaseError
from tasks.imaging.luminance import luminance
from tasks.imaging.morphology import BoolArray
from tasks.imaging.organ import Labels, Organ, Remark, beyond
from tasks.imaging.plane_masks import closed, filled, largest, opened
from tasks.imaging.step import Array, Kind, View


class Settings(Organ):
    """The tissue that a breast ultrasound shows, without frame and letters.

    Attributes
    ----------
    above_black
        Of the range from the darkest pixel to the 99th percentile: where the local mean is darker, the screen is.
    smoothing_share, opening_share, closing_share
        Standard deviation of the local mean, and radii of the discs that open and close, as shares of the shorter side.
    """

    kinds: ClassVar[frozenset[Kind]] = frozenset({"2-D", "colour"})
    units: ClassVar[frozenset[str] | None] = frozenset({"arbitrary", "grey", "share", "z"})

    name: Literal["breast_ultrasound"] = "breast_ultrasound"
    above_black: float = Field(0.05, gt=0, lt=1)
    smoothing_share: float = Field(0.008, gt=0, lt=0.2)
    opening_share: float = Field(0.04, gt=0, lt=0.5)
    closing_share: float = Field(0.15, ge=0, lt=0.5)

    def segment(self, array: Array, view: View, body: BoolArray | None) -> BoolArray:
        """Tissue, by a low threshold of the local mean."""
        del body
        grey = luminance(array, 2).astype(np.float32)
        side = min(view.shape)
        black, bright = float(grey.min()), float(np.percentile(grey, 99))
        if not black < bright:
            raise CaseError("no tissue found: the picture has one brightness")
        mean = ndimage.gaussian_filter(grey, self.smoothing_share * side)
        tissue = largest(opened(mean > black + self.above_black * (bright - black), self.opening_share * side))
        # Beyond the tissue's box there is only the screen.
        return filled(closed(tissue, self.closing_share * side) & _boxed(tissue))

    def examine(self, labels: Labels, array: Array, view: View) -> Iterable[Remark]:
        """Tissue fills much of the picture, and is not of one brightness."""
        del view
        mask = labels > 0
        yield from beyond("share of the picture", 100 * float(mask.mean()), "%", usual=(35, 100), possible=(10, 100))
        grey = luminance(array, 2)
        if float(np.std(grey[mask])) < 0.02 * float(np.ptp(grey)):
            yield Remark("refused", "no speckle: the region is of one brightness")


def _boxed(mask: BoolArray) -> BoolArray:
    """The smallest rectangle that holds the mask."""
    return np.asarray(_spanned(np.asarray(mask.any(axis=1)))[:, None] & _spanned(np.asarray(mask.any(axis=0))))


def _spanned(line: BoolArray) -> BoolArray:
    """From the first that is true to the last."""
    return np.asarray(np.logical_or.accumulate(line) & np.logical_or.accumulate(line[::-1])[::-1])
