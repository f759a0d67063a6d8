"""The brain on MR: what is bright inside the head and stays together when narrow bridges are cut.

The skull is dark in every contrast, and deep in the head there is mostly brain: its median tells how bright brain is.
What is about as bright, below the scalp, is brain, eyes, muscles and marrow, joined by nerves and veins; what is left
of it deeper than a few millimetres falls apart, and its largest piece is the core of the brain. It is grown back by the
same depth, and its sulci and ventricles are closed (after Atkins and Mackiewich 1998, doi:10.1109/42.712135, without
their contours).

A picture does not say how large its pixels are: its head is taken to be as wide as heads are.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from storage.errors import CaseError
from storage.volume import Triple
from tasks.imaging.morphology import BoolArray, close_mask, distance_mm, fill_slices, keep_large_components
from tasks.imaging.organ import Labels, Organ, Remark, beyond
from tasks.imaging.organs.body import body_mask
from tasks.imaging.step import Array, Kind, View

HEAD_MM = 165.0
"""Diameter of a disc with the area of a head in a middle slice."""
DEEP_MM = 20.0
"""Below the head's surface: there it is mostly brain."""
FAT_TIMES = 1.9
"""So many times as bright as the brain, and not deep, is fat."""
SLICE_SHARE = 0.3
"""In a single slice, pieces of the core that are this large beside the largest belong to the brain."""
PICTURE_SLICE_MM = 1000.0
"""A picture is a slice without neighbours."""


class Settings(Organ):
    """The brain on MR: bright inside of the skull, in one piece once narrow bridges are cut.

    Attributes
    ----------
    scalp_mm
        What lies less deep below the head's surface is scalp or skull.
    least_brightness
        Of the median deep in the head: what is darker is skull or fluid.
    bridge_mm
        Half the width of the widest bridge that is cut: nerves, veins and muscles.
    closing_mm
        Radius of the ball that closes sulci.
    usual_l
        Litres that nobody has to look at; other volumes are doubtful, and below a third or above twice that refused.
    """

    kinds: ClassVar[frozenset[Kind]] = frozenset({"3-D", "2-D"})
    units: ClassVar[frozenset[str] | None] = frozenset({"arbitrary", "grey", "z", "share"})

    name: Literal["brain"] = "brain"
    scalp_mm: float = Field(6.5, ge=0)
    least_brightness: float = Field(0.68, gt=0, lt=1)
    bridge_mm: float = Field(4.0, gt=0)
    closing_mm: float = Field(8.0, ge=0)
    usual_l: tuple[float, float] = (0.9, 2.0)

    def segment(self, array: Array, view: View, body: BoolArray | None) -> BoolArray:
        """The brain, by :func:`brain_mask`."""
        del body
        if len(view.shape) == 3:
            z, y, x = view.spacing_mm
            return brain_mask(array, spacing_mm=(z, y, x), settings=self)
        image = array[None].astype(np.float32)
        head = body_mask(image, spacing_mm=(PICTURE_SLICE_MM, 1.0, 1.0), unit="arbitrary")
        pixel_mm = HEAD_MM / float(2.0 * np.sqrt(head.sum() / np.pi))
        found = brain_mask(image, spacing_mm=(PICTURE_SLICE_MM, pixel_mm, pixel_mm), settings=self)
        return np.asarray(found[0])

    def examine(self, labels: Labels, array: Array, view: View) -> Iterable[Remark]:
        """A volume as brains have it; on a picture a fair share of it; and brighter than the rest."""
        if len(view.shape) == 3:
            litres = float((labels > 0).sum() * np.prod(view.spacing_mm)) / 1e6
            possible = (self.usual_l[0] / 3.0, self.usual_l[1] * 2.0)
            yield from beyond("volume", litres, "l", usual=self.usual_l, possible=possible)
        else:
            yield from beyond("share of the picture", 100 * float((labels > 0).mean()), "%", usual=(15.0, 75.0))
        if float(np.median(array[labels > 0])) <= float(np.median(array[labels == 0])):
            yield Remark("refused", "it is no brighter than what lies around it")


def brain_mask(array: npt.NDArray[Any], *, spacing_mm: Triple, settings: Settings | None = None) -> BoolArray:
    """Find the brain.

    Parameters
    ----------
    array
        MR of a head ``(z, y, x)``, any contrast in which the brain is brighter than the skull.
    spacing_mm
        Voxel spacing ``(z, y, x)`` in mm.
    settings
        ``None``: the defaults.

    Returns
    -------
    numpy.ndarray
        Boolean, same shape, ventricles included.

    Raises
    ------
    CaseError
        When there is no head, or nothing in it that is as thick as a brain.
    """
    settings = settings or Settings()
    head = body_mask(array, spacing_mm=spacing_mm, unit="arbitrary")
    depth = distance_mm(~head, spacing_mm)
    deep = depth > DEEP_MM
    if not deep.any():
        raise CaseError(f"no brain found: no part of the head lies deeper than {DEEP_MM:g} mm")
    brain = float(np.median(array[deep])) - (black := float(array.min()))
    share = (array - black) / max(brain, 1e-6)
    bright = (share > settings.least_brightness) & (depth > settings.scalp_mm) & (deep | (share < FAT_TIMES))
    core = distance_mm(~bright, spacing_mm) > settings.bridge_mm
    if not core.any():
        raise CaseError("no brain found: nothing bright inside of the head is thick enough")
    # In a single slice the falx may part the hemispheres.
    core = keep_large_components(core, fraction=1.0 if len(array) > 1 else SLICE_SHARE)
    grown = (distance_mm(core, spacing_mm) <= settings.bridge_mm + 1.5) & bright
    return fill_slices(close_mask(grown, radius_mm=settings.closing_mm, spacing_mm=spacing_mm)) & head
