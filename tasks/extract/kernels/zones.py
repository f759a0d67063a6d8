"""Zones, which are connected voxels of one level, and how far they lie from the border of a mask."""

from __future__ import annotations

import numpy as np
from numba import njit

from tasks.imaging.step import Array


@njit(cache=True, nogil=True)
def join_zones(levels: Array, positions: Array, offsets: Array, face: int, parent: Array) -> int:
    """Join the voxels of each zone in trees, whose roots are the zones' first voxels.

    Parameters
    ----------
    levels, positions
        Of a `Scan`.
    offsets
        ``int64``, positive: to what voxels a zone reaches.
    face
        The offset whose voxel touches all others before the one in question: if it is of the zone, so are they already.
    parent
        ``int32``, of the size of ``levels``; filled where there are voxels.

    Returns
    -------
    int
        Number of zones.
    """
    zones = 0
    for p in positions:
        level = levels[p]
        if levels[np.uintp(p - face)] == level:
            parent[p] = parent[p - face]
            continue
        top = p
        parent[p] = p
        zones += 1
        for offset in offsets:
            if levels[np.uintp(p - offset)] == level:
                other = _root(parent, p - offset)
                if other != top:
                    zones -= 1
                    parent[max(other, top)] = min(other, top)
                    top = min(other, top)
    return zones


@njit(cache=True, nogil=True)
def _root(parent: Array, p: int) -> int:
    """First voxel of the zone, so far; the way to it becomes shorter."""
    while parent[p] != p:
        parent[p] = parent[parent[p]]
        p = parent[p]
    return p


@njit(cache=True, nogil=True)
def measure_zones(
    levels: Array, positions: Array, slice_ends: Array, distances: Array, parent: Array, zones: Array
) -> None:
    """Fill ``zones``, in the order of their first voxels.

    Parameters
    ----------
    levels, positions, slice_ends
        Of a `Scan`.
    distances
        ``int32``, of the size of ``levels``.
    parent
        From `join_zones`; it is used up.
    zones
        ``int32``, ``(4, zones)``: slice of the first voxel, level, number of voxels, smallest distance.
    """
    n, z = 0, 0
    for k in range(len(positions)):
        p = positions[k]
        while k >= slice_ends[z]:
            z += 1
        if parent[p] == p:
            zone = n
            n += 1
            zones[0, zone], zones[1, zone], zones[2, zone], zones[3, zone] = z, levels[p], 0, distances[p]
        else:
            # All voxels before this one hold their zone's number by now, as -1, -2, …
            zone = -parent[parent[p]] - 1
        parent[p] = -zone - 1
        zones[2, zone] += 1
        zones[3, zone] = min(zones[3, zone], distances[p])


@njit(cache=True, nogil=True)
def border_distances(inside: Array, far: int, near: int, next_one: int, distances: Array) -> None:
    """Fill in the city-block distance to the nearest voxel outside: 1 at the border.

    Parameters
    ----------
    inside
        ``bool``, flat; nothing is inside at the array's faces.
    far, near, next_one
        Steps along the three axes in the flat array; in two dimensions one of them stands twice.
    distances
        ``int32``, zeros.
    """
    for p in range(len(inside)):
        if inside[p]:
            distances[p] = 1 + min(distances[p - far], distances[p - near], distances[p - next_one])
    for p in range(len(inside) - 1, -1, -1):
        if inside[p]:
            nearest = min(distances[p + far], distances[p + near], distances[p + next_one])
            distances[p] = min(distances[p], 1 + nearest)
