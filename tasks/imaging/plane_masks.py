"""Shape operations on masks of pictures, in pixels; those of volumes are in :mod:`tasks.imaging.morphology`.

What lies beyond the picture's edge counts as unknown: a mask that the edge cuts is not worn away there.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from tasks.imaging.morphology import BoolArray, distance_mm, keep_large_components

ALONE = (1e6, 1.0, 1.0)
"""Spacing of a picture as a volume of one slice."""


def distance_px(mask: BoolArray) -> npt.NDArray[np.float32]:
    """Distance of every pixel of a picture ``(y, x)`` to the nearest one inside the mask; 0 inside."""
    return np.asarray(distance_mm(mask[None], ALONE)[0])


def opened(mask: BoolArray, radius_px: float) -> BoolArray:
    """What a disc of this radius covers without leaving the mask."""
    core = distance_px(~mask) > radius_px
    return np.asarray(distance_px(core) <= radius_px) & mask if core.any() else np.zeros_like(mask)


def closed(mask: BoolArray, radius_px: float) -> BoolArray:
    """The mask, and gaps and dents that a disc of this radius cannot enter."""
    if not mask.any():
        return mask
    outside = distance_px(mask) > radius_px
    return np.asarray(distance_px(outside) > radius_px) | mask if outside.any() else np.ones_like(mask)


def filled(mask: BoolArray) -> BoolArray:
    """The mask with its holes."""
    return np.asarray(ndimage.binary_fill_holes(mask))


def largest(mask: BoolArray) -> BoolArray:
    """The largest of its components (4-neighbours)."""
    return np.asarray(keep_large_components(mask[None], fraction=1.0)[0])


def equal_area_diameter(mask: BoolArray) -> float:
    """Diameter in pixels of the disc that has the mask's area."""
    return float(2.0 * np.sqrt(mask.sum() / np.pi))


def roundness(mask: BoolArray) -> float:
    """Share of the mask in the disc of its area around its centroid: 1 of a disc, less of everything else."""
    y, x = np.nonzero(mask)
    radius = equal_area_diameter(mask) / 2.0
    return float(((y - y.mean()) ** 2 + (x - x.mean()) ** 2 <= radius**2).mean())
