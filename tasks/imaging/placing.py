"""Values of an image at the voxels of another grid."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from tasks.imaging.placement import Box, Interpolation, Placement
from tasks.imaging.step import Array, Index, floating

_ORDER = {"nearest": 0, "linear": 1, "cubic": 3}


def support(placement: Placement, interpolation: Interpolation) -> Index:
    return (16,) * len(placement.shape)


def place(
    block: Array,
    block_start: Index,
    placement: Placement,
    box: Box,
    old_shape: Index,
    *,
    interpolation: Interpolation,
    outside: float | None,
) -> Array:
    shape = tuple(b - a for a, b in zip(*box, strict=True))
    offset = placement.matrix @ np.asarray(box[0], dtype=float) + placement.offset - np.asarray(block_start)
    mode = "nearest" if outside is None else "grid-constant"
    values = block if interpolation == "nearest" else floating(block)
    return np.asarray(
        ndimage.affine_transform(
            values, placement.matrix, offset, shape, order=_ORDER[interpolation], mode=mode, cval=outside or 0.0
        )
    )
