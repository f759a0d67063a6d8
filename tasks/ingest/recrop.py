"""Where to cut an image at random, without having looked at it.

Research collections are often cropped around the lesion, so that the place within the crop, or the crop's size, gives
the answer away. Cutting a random amount off each face before anything else sees the image takes that away.
"""

from __future__ import annotations

import hashlib

import numpy as np

KEEP_VOXELS = 8
"""Along each axis so many voxels are left, or all of an axis that has no more."""

Box = tuple[tuple[int, int, int], tuple[int, int, int]]


def recrop_box(
    shape: tuple[int, int, int], spacing_mm: tuple[float, float, float], *, digest: str, max_mm: float
) -> Box:
    """Draw the box that is left when each face loses a uniformly random 0 … `max_mm`.

    The six amounts depend on `digest` alone, in mm: all images of a case lose the same at each face. Where both cuts
    of an axis would leave fewer than `KEEP_VOXELS`, both are shrunk by the same factor.

    Parameters
    ----------
    shape
        Voxels along (z, y, x).
    spacing_mm
        Voxel spacing along (z, y, x), in mm.
    digest
        Digest of the case's images; seeds the draw.
    max_mm
        Largest amount, in mm.

    Returns
    -------
    start, stop : tuple of int
        First voxel kept, and first voxel not kept any more, along (z, y, x).
    """
    seed = int.from_bytes(hashlib.sha256(f"recrop {digest}".encode()).digest())
    lost_mm = np.random.default_rng(seed).uniform(0, max_mm, size=(3, 2))
    start, stop = [], []
    for size, spacing, (near_mm, far_mm) in zip(shape, spacing_mm, lost_mm, strict=True):
        room = max(0, size - KEEP_VOXELS)
        shrink = min(1.0, room * spacing / (near_mm + far_mm))
        start.append(int(near_mm * shrink / spacing))
        stop.append(size - int(far_mm * shrink / spacing))
    return (start[0], start[1], start[2]), (stop[0], stop[1], stop[2])
