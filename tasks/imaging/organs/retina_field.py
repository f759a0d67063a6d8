"""The field of view of a fundus picture: the bright disc, without the tab that marks its side.

The mount around it is black whatever the eye: half of Otsu's threshold of the brightest colour parts them. An opening
by a disc takes off the tab, and what letters there are.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field
from scipy import ndimage

from storage.errors import CaseError
from tasks.imaging.morphology import BoolArray
from tasks.imaging.organ import Labels, Organ, Remark, beyond
from tasks.imaging.plane_masks import equal_area_diameter, filled, largest, opened, roundness
from tasks.imaging.step import Array, Kind, View


class Settings(Organ):
    """The field of view of a fundus picture: a bright disc in a black mount.

    Attributes
    ----------
    smoothing_px
        Gaussian before thresholding.
    opening_share
        Radius of the disc that opens the mask, as share of its diameter: what is narrower is tab or letter.
    """

    kinds: ClassVar[frozenset[Kind]] = frozenset({"colour", "2-D"})

    name: Literal["retina_field"] = "retina_field"
    smoothing_px: float = Field(1.5, ge=0)
    opening_share: float = Field(0.08, gt=0, lt=0.5)

    def segment(self, array: Array, view: View, body: BoolArray | None) -> BoolArray:
        """The field, by :func:`field_of_view`."""
        del view, body
        return field_of_view(array, smoothing_px=self.smoothing_px, opening_share=self.opening_share)

    def examine(self, labels: Labels, array: Array, view: View) -> Iterable[Remark]:
        """A disc, perhaps cut above and below, that fills much of the picture; and a picture with a mount."""
        del array, view
        mask = labels > 0
        yield from beyond("share of the picture", 100 * float(mask.mean()), "%", usual=(30, 98), possible=(5, 100))
        yield from beyond("share inside of a disc", 100 * roundness(mask), "%", usual=(93, 100))


def field_of_view(array: Array, *, smoothing_px: float = 1.5, opening_share: float = 0.08) -> BoolArray:
    """Find the field of view of a fundus picture ``(y, x)`` or ``(y, x, 3)``; see :class:`Settings`.

    Raises
    ------
    CaseError
        When the picture has one brightness, or nothing in it is as wide as a field.
    """
    from skimage.filters import threshold_otsu

    brightest = (array if array.ndim == 2 else array.max(axis=-1)).astype(np.float32)
    brightest = np.asarray(ndimage.gaussian_filter(brightest, smoothing_px))
    black = float(brightest.min())
    if not black < float(brightest.max()):
        raise CaseError("no field of view found: the picture has one brightness")
    bright = brightest > black + 0.5 * (float(threshold_otsu(brightest)) - black)
    rough = filled(largest(bright))
    field = opened(rough, opening_share * equal_area_diameter(rough))
    if not field.any():
        raise CaseError("no field of view found: nothing bright is wide enough")
    return largest(field)
