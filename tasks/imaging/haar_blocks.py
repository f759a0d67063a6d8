"""An image in blocks of fixed size, and the Haar decomposition of each: how much it changes, and in which direction.

The *response* of a block to a pattern of :mod:`tasks.imaging.haar_patterns` that fills it is the sum of its positive
boxes less that of its negative ones, over the block's number of voxels: of ``two_x`` half the difference between the
means of its halves. Those to ``two``, ``four`` and ``eight`` boxes are, with the mean, one step of the orthonormal
Haar transform (over the root of the number of voxels). Those to two boxes along each axis together are a gradient: its
length is the block's *value*, its unit vector the *direction* in which intensities grow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tasks.imaging.haar_features import HaarFeatures, Placed, haar_like
from tasks.imaging.haar_patterns import boxes_along
from tasks.imaging.step import Array

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class HaarBlocks:
    """Haar decompositions of the blocks of an image.

    Attributes
    ----------
    responses
        By pattern, one per block: ``(rows, columns)`` or ``(slices, rows, columns)`` of blocks.
    value
        Length of the gradient, in intensities per half a block.
    direction
        Its unit vector along the image's axes, ``(…, 2)`` in the order ``(y, x)`` or ``(…, 3)`` in ``(z, y, x)``; NaN
        where the value is 0.
    """

    responses: dict[str, Floats]
    value: Floats
    direction: Floats


def haar_blocks(image: Array, side: int, patterns: Sequence[str] = ()) -> HaarBlocks:
    """Decompose each block of a picture or volume.

    Parameters
    ----------
    image
        ``(y, x)`` or ``(z, y, x)``, of any real type, finite. Blocks begin at its first voxel; what is left at its ends
        and fills no block is not looked at.
    side
        Voxels along each side of a block, a multiple of the number of boxes along it.
    patterns
        What to respond to besides the two boxes along each axis. The middle one of three boxes counts twice.

    Raises
    ------
    ValueError
        For an unknown pattern, and when a block cannot be divided into the boxes of one.
    """
    axes = image.ndim
    halves = ("two_z", "two_y", "two_x")[3 - axes :]
    wanted = tuple(dict.fromkeys((*halves, *patterns)))
    features = HaarFeatures.of((side,) * axes, [_filling(name, side, axes) for name in wanted], balanced=True)
    grid = tuple(n // side for n in image.shape)
    found = haar_like(_blocks(np.asarray(image, dtype=np.float64), grid, side), features) / side**axes
    responses = {name: np.ascontiguousarray(column).reshape(grid) for name, column in zip(wanted, found.T, strict=True)}
    gradient = np.stack([responses[name] for name in halves], axis=-1)
    value = np.sqrt((gradient**2).sum(axis=-1))
    unknown = np.full_like(gradient, np.nan)
    direction = np.divide(gradient, value[..., None], out=unknown, where=value[..., None] > 0)
    return HaarBlocks(responses, value, direction)


def _filling(pattern: str, side: int, axes: int) -> Placed:
    """The feature of this pattern that fills a block."""
    boxes = boxes_along(pattern, axes)
    if any(side % n for n in boxes):
        raise ValueError(f"a block of {side} voxels cannot be divided into the boxes {boxes} of {pattern!r}")
    return Placed(pattern=pattern, at=(0,) * axes, size=tuple(side // n for n in boxes))


def _blocks(image: Array, grid: tuple[int, ...], side: int) -> Array:
    """All blocks in scan order, ``(n, side, side)`` or ``(n, side, side, side)``."""
    axes = len(grid)
    whole = image[tuple(slice(n * side) for n in grid)]
    parted = whole.reshape([part for n in grid for part in (n, side)])
    return parted.transpose(*range(0, 2 * axes, 2), *range(1, 2 * axes, 2)).reshape(-1, *(side,) * axes)
