"""A box around a candidate that is some multiple of its size: what transforms of a whole block of voxels look at.

A family cuts its own box, whatever the region's image holds: another family may ask for more surroundings, and a
transform depends on where it begins.
"""

from __future__ import annotations

from storage.volume import Triple
from tasks.extract.region import Region, widened
from tasks.imaging.morphology import BoolArray, Box, mask_box


def context_margin_mm(extent_mm: Triple, context: float) -> Triple:
    """What a box that is ``context`` times a candidate's own has beyond it on each side."""
    z, y, x = (extent * (context - 1) / 2 for extent in extent_mm)
    return z, y, x


def context_box(region: Region, mask: BoolArray, context: float) -> Box:
    """The box around a mask of the region, not empty, in the region's image; it ends where the image does."""
    tight = mask_box(mask)
    z, y, x = ((side.stop - side.start) * s for side, s in zip(tight, region.spacing_mm, strict=True))
    return widened(tight, context_margin_mm((z, y, x), context), mask.shape, region.spacing_mm)
