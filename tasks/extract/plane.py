"""The slice that stands for a region where a family describes flat shapes and pictures: the one of the largest area."""

from __future__ import annotations

import numpy as np

from tasks.extract.region import Region
from tasks.imaging.morphology import BoolArray


def largest_slice(region: Region) -> int:
    """Index of the slice of the region's image in which its mask has most voxels; of several, the first."""
    return int(np.argmax(np.count_nonzero(region.mask, axis=(1, 2))))


def largest_piece(mask: BoolArray) -> BoolArray:
    """The largest 8-connected piece of a mask ``(y, x)`` that is not empty, without holes."""
    from scipy import ndimage

    labels, _ = ndimage.label(mask, np.ones((3, 3)))
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    return np.asarray(ndimage.binary_fill_holes(labels == sizes.argmax()), dtype=bool)
