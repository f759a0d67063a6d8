"""Which grids the levels of a pyramid have: how many voxels, how large, and where.

Level 0 is the image. Each next level halves axes: of ``n`` voxels ``⌈n/2⌉`` are left, so that an axis halved ``h``
times has ``⌈n/2^h⌉`` of them, ``2^h`` times as large. Voxel ``i`` of a halved axis lies where voxel ``2i`` lay before,
so the first voxel, and with it the origin, stays where it is.

Slices of CT and MR are often thicker than their pixels. Halving them as well would blur along z what is barely resolved
there; so an axis is halved only while its voxels are about as small as the smallest, less than √2 times as large.
Volumes thus become isotropic first and shrink along all axes from then on.
"""

from __future__ import annotations

from dataclasses import dataclass

from tasks.imaging.step import Index, Spacing

UNTIL = 64
"""The coarsest level has no more voxels along any axis: it fits into one chunk of the store."""


@dataclass(frozen=True)
class Grid:
    """Voxels of a level along the spatial axes, and the distance between them in mm."""

    shape: Index
    spacing_mm: Spacing


def grids(shape: Index, spacing_mm: Spacing, *, levels: int | None = None, until: int = UNTIL) -> tuple[Grid, ...]:
    """Grids of all levels, the image's own first.

    Parameters
    ----------
    shape, spacing_mm
        Of the image, along its spatial axes.
    levels
        Levels beside the image, fewer where one voxel is reached; ``None``: as many as ``until`` asks for.
    until
        Where ``levels`` is ``None``, the last level is the first with no more voxels than that along any axis.

    Raises
    ------
    ValueError
        For a shape without voxels or of another number of axes than the spacing, and for limits that cannot be kept.
    """
    if len(shape) != len(spacing_mm) or min(shape, default=0) < 1 or min(spacing_mm) <= 0:
        raise ValueError(f"expected voxels along each axis, and their spacing; got {shape} of {spacing_mm} mm")
    if until < 1 or (levels is not None and levels < 0):
        raise ValueError(f"expected levels of 0 or more, until 1 voxel or more; got {levels}, {until}")
    found = [Grid(tuple(shape), tuple(spacing_mm))]
    while max(found[-1].shape) > (until if levels is None else 1) and (levels is None or len(found) <= levels):
        found.append(halved(found[-1]))
    return tuple(found)


def halved(grid: Grid) -> Grid:
    """The next level's grid: axes of more than one voxel are halved where their spacing is about the smallest."""
    sides = list(zip(grid.shape, grid.spacing_mm, strict=True))
    finest = min((spacing for n, spacing in sides if n > 1), default=0.0)
    factors = [2 if n > 1 and spacing < finest * 2**0.5 else 1 for n, spacing in sides]
    return Grid(
        tuple(-(-n // f) for n, f in zip(grid.shape, factors, strict=True)),
        tuple(spacing * f for spacing, f in zip(grid.spacing_mm, factors, strict=True)),
    )
