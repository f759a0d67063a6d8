"""Volumes resampled onto another grid, images by spline and masks by the nearest voxel; and from and to SimpleITK.

A *grid* is the geometry of a volume without its values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from storage.volume import Triple, Volume
from tasks.imaging.geometry.resample import Settings
from tasks.imaging.grids import regridded
from tasks.imaging.placement import Interpolation, Placement

if TYPE_CHECKING:
    import SimpleITK as sitk

ROUNDING = 1e-9
"""Entries of a matrix up to this are zeros that inverting has left."""


def resample_to_spacing(volume: Volume, spacing_mm: Triple, *, interpolation: Interpolation = "linear") -> Volume:
    """Resample an image to a spacing, keeping centre, orientation and unit: :mod:`tasks.imaging.geometry.resample`.

    Parameters
    ----------
    volume
        Image, ``(z, y, x)``; returned as ``float32``.
    spacing_mm
        New spacing along ``(z, y, x)``, in mm.
    interpolation
        ``linear``, ``cubic`` (B-spline of third order) or ``nearest``; for the rules see :mod:`tasks.imaging.placing`.

    Returns
    -------
    Volume
        Along each axis ``ceil(n * old / new)`` voxels, as IBSI has it.
    """
    result = regridded(volume, Settings(spacing_mm=spacing_mm, interpolation=interpolation))
    return result.with_array(result.array.astype(np.float32, copy=False))


def resample_onto(
    volume: Volume, grid: Volume, *, interpolation: Interpolation = "nearest", outside: float = 0.0
) -> Volume:
    """Values of ``volume`` at the voxel centres of ``grid``; ``outside`` where there are none.

    With ``nearest`` the dtype stays (labels stay labels); otherwise the result is ``float32``. For the rules, e.g.
    against aliasing on a coarser grid that lies parallel, see :mod:`tasks.imaging.placing`.
    """
    from tasks.imaging.placing import place

    if interpolation != "nearest":
        volume = volume.with_array(volume.array.astype(np.float32, copy=False))
    if _same_grid(volume, grid):
        return volume
    box = ((0, 0, 0), grid.shape)
    shape, placement = volume.shape, placement_onto(volume, grid)
    array = place(volume.array, (0, 0, 0), placement, box, shape, interpolation=interpolation, outside=outside)
    return Volume(array, grid.spacing_mm, grid.origin_mm, grid.direction, volume.unit)


def placement_onto(volume: Volume, grid: Volume) -> Placement:
    """Where the voxels of ``grid`` lie among those of ``volume``, by their positions in mm."""
    to_old = np.linalg.inv(volume.affine) @ grid.affine
    matrix = np.where(np.abs(to_old[:3, :3]) < ROUNDING, 0.0, to_old[:3, :3])
    return Placement(grid.shape, matrix, to_old[:3, 3])


def to_itk(volume: Volume) -> sitk.Image:
    """The same volume as SimpleITK image (axes x, y, z)."""
    import SimpleITK as sitk

    image = sitk.GetImageFromArray(np.ascontiguousarray(volume.array))
    image.SetSpacing([float(s) for s in volume.spacing_mm[::-1]])
    image.SetOrigin([float(x) for x in volume.origin_mm])
    image.SetDirection(np.asarray(volume.direction, dtype=float)[:, ::-1].ravel().tolist())
    return image


def from_itk(image: sitk.Image, *, unit: str = "arbitrary") -> Volume:
    """A SimpleITK image as volume."""
    import SimpleITK as sitk

    direction = np.asarray(image.GetDirection(), dtype=float).reshape(3, 3)[:, ::-1]
    z, y, x = (float(s) for s in image.GetSpacing()[::-1])
    ox, oy, oz = (float(s) for s in image.GetOrigin())
    rows = [(float(a), float(b), float(c)) for a, b, c in direction]
    return Volume(sitk.GetArrayFromImage(image), (z, y, x), (ox, oy, oz), (rows[0], rows[1], rows[2]), unit)


def _same_grid(one: Volume, other: Volume) -> bool:
    return one.shape == other.shape and np.allclose(one.affine, other.affine, rtol=0, atol=1e-4)
