"""Zones of a region: connected voxels of one level, found once for all families that count them.

Voxels connect over faces, edges and corners, in the volume or in their slice. The *distance* of a zone is the smallest
city-block distance of its voxels to the outside of the morphological mask, which the intensity mask may have holes in:
1 at its border, and at the border of the image.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from storage.volume import FloatArray
from tasks.extract.region import Region
from tasks.extract.texture.aggregation import Aggregation
from tasks.extract.texture.counts import Counts
from tasks.extract.texture.emphasis import emphases
from tasks.extract.texture.scan import Index, Scan, scan


@dataclass(frozen=True, eq=False)
class Zones:
    """Zones, in the order of their first voxels.

    Attributes
    ----------
    slice_number
        Slice of each, among those with voxels; in the volume that of the first voxel.
    level, size, distance
        Level, number of voxels, and distance in voxels.
    """

    slice_number: Index
    level: Index
    size: Index
    distance: Index


def zones(region: Region, *, planar: bool) -> Zones:
    """The zones of the volume, or those of its slices."""
    return region.core.once(f"zones_planar_{planar}", lambda core: _zones(core, scan(core), planar))


def _zones(core: Region, voxels: Scan, planar: bool) -> Zones:
    from tasks.extract.kernels.zones import join_zones, measure_zones

    parent = np.empty(len(voxels.levels), dtype=np.int32)
    z, y, _ = voxels.steps
    number = join_zones(voxels.levels, voxels.positions, voxels.directions(planar=planar), y if planar else z, parent)
    found = np.empty((4, number), dtype=np.int32)
    measure_zones(voxels.levels, voxels.positions, voxels.slice_ends, _distances(core, voxels, planar), parent, found)
    return Zones(*found.astype(np.int64))


def _distances(core: Region, voxels: Scan, planar: bool) -> npt.NDArray[np.int32]:
    from tasks.extract.kernels.zones import border_distances

    z, y, x = voxels.steps
    distances = np.zeros(len(voxels.levels), dtype=np.int32)
    border_distances(voxels.padded(core.mask), y if planar else z, y, x, distances)
    return distances


def zone_emphases(
    region: Region, aggregation: Aggregation, measure: Literal["size", "distance"]
) -> tuple[FloatArray, ...]:
    """The `emphases` of the matrices of levels against one measure of the zones."""
    voxels, found = scan(region), zones(region, planar=aggregation.planar)
    possible = voxels.slice_voxels if aggregation.by_slice else np.array([len(voxels.positions)])
    matrix = found.slice_number if aggregation.by_slice else np.zeros_like(found.level)
    counts = Counts.of_list(matrix, found.level, getattr(found, measure))
    return emphases(counts, possible.astype(np.float64))
