"""The levels of a region as kernels read them: flat, padded with zeros, with the voxels' places in scan order.

The padding makes any neighbour's place the voxel's own place and an offset, and lets kernels ask for it without looking
whether it is still in the array: outside of the region the level is 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from tasks.extract.region import Region
from tasks.imaging.morphology import BoolArray

Index = npt.NDArray[np.int64]
Element = TypeVar("Element", bound=np.generic)


@dataclass(frozen=True, eq=False)
class Scan:
    """The voxels of a region's intensity mask.

    Attributes
    ----------
    levels
        ``int32``, flat: the levels, with ``margin`` zeros around.
    shape
        ``(z, y, x)`` with the margin.
    margin
        Voxels on each side.
    count
        Number of levels.
    positions
        ``int64``: places of the voxels in ``levels``, ascending.
    slice_ends
        ``int64``: how many of them lie in or before each slice; slices without one are left out.
    """

    levels: npt.NDArray[np.int32]
    shape: tuple[int, int, int]
    margin: int
    count: int
    positions: Index
    slice_ends: Index

    @property
    def slice_voxels(self) -> Index:
        """Number of voxels in each slice that has any."""
        return np.diff(self.slice_ends, prepend=0)

    @property
    def steps(self) -> tuple[int, int, int]:
        """Offsets of the next voxel along ``(z, y, x)``."""
        return self.shape[1] * self.shape[2], self.shape[2], 1

    def directions(self, *, planar: bool, distance: int = 1) -> Index:
        """Offsets along the 13 directions of three dimensions, or the 4 of a slice: half of all, all positive."""
        offsets = self.neighbours(planar=planar) * distance
        return np.asarray(offsets[offsets > 0])

    def neighbours(self, *, planar: bool, distance: int = 1) -> Index:
        """Offsets of the voxels within a Chebyshev distance, in the volume or in the slice."""
        around = range(-distance, distance + 1)
        z, y, x = self.steps
        places = product((0,) if planar else around, around, around)
        offsets = np.array([a * z + b * y + c * x for a, b, c in places], dtype=np.int64)
        return np.asarray(offsets[offsets != 0])

    def padded(self, mask: BoolArray) -> BoolArray:
        """A mask of the region's core, flat and with the margin."""
        return _padded(mask, self.margin)


def scan(region: Region, margin: int = 1) -> Scan:
    """The voxels of a region, padded so that offsets of up to ``margin`` voxels along an axis stay inside."""
    return region.core.once(f"scan_{margin}", lambda core: _scan(core, margin))


def _scan(core: Region, margin: int) -> Scan:
    depth, height, width = (n + 2 * margin for n in core.mask.shape)
    levels = _padded(core.levels.array, margin)
    positions = np.flatnonzero(levels)
    ends = np.searchsorted(positions, np.arange(1, depth + 1) * (height * width))
    filled = np.diff(ends, prepend=0) > 0
    return Scan(levels, (depth, height, width), margin, core.levels.count, positions, ends[filled])


def _padded(array: npt.NDArray[Element], margin: int) -> npt.NDArray[Element]:
    wide = np.zeros([n + 2 * margin for n in array.shape], dtype=array.dtype)
    wide[(slice(margin, -margin),) * 3] = array
    return wide.ravel()
