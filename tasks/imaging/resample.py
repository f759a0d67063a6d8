"""Resampling onto another grid: images by spline, masks by nearest voxel or by coverage.

A *grid* is the geometry of a volume without its values. New grids of another spacing keep the centre of the old one
(the IBSI's "align by centre", doi:10.1148/radiol.2020191145), so that no half-voxel shift enters.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import SimpleITK as sitk

from storage.volume import Triple, Volume

Interpolation = Literal["nearest", "linear", "cubic"]
_METHODS = {"nearest": sitk.sitkNearestNeighbor, "linear": sitk.sitkLinear, "cubic": sitk.sitkBSpline}


def resample_to_spacing(volume: Volume, spacing_mm: Triple, *, interpolation: Interpolation = "linear") -> Volume:
    """Resample an image to a spacing, keeping centre, orientation and unit.

    Parameters
    ----------
    volume
        Image, ``(z, y, x)``; returned as ``float32``.
    spacing_mm
        New spacing along ``(z, y, x)``, in mm.
    interpolation
        ``linear``, ``cubic`` (B-spline of third order) or ``nearest``. Where the new voxels are larger, a Gaussian of
        half the ratio less one, in old voxels, is applied first against aliasing.

    Returns
    -------
    Volume
        Along each axis ``ceil(n * old / new)`` voxels, as IBSI has it.
    """
    if np.allclose(spacing_mm, volume.spacing_mm, rtol=0, atol=1e-6):
        return volume.with_array(volume.array.astype(np.float32))
    image = to_itk(volume.with_array(_smoothed(volume, spacing_mm)))
    old, new = np.asarray(volume.spacing_mm), np.asarray(spacing_mm, dtype=float)
    # Without the tolerance 60 voxels of 3.27 mm would become 61 of 3.27 mm by rounding alone.
    size = np.ceil(np.asarray(volume.shape) * old / new - 1e-6).astype(int)
    centre = volume.to_world_mm((np.asarray(volume.shape) - 1) / 2)
    origin = centre - np.asarray(volume.direction) @ ((size - 1) / 2 * new)
    target = sitk.Image([int(n) for n in size[::-1]], sitk.sitkUInt8)
    target.SetSpacing([float(s) for s in new[::-1]])
    target.SetOrigin([float(x) for x in origin])
    target.SetDirection(image.GetDirection())
    # No centre of the new grid lies outside the old voxels: what stands outside does not matter.
    return from_itk(_run(image, target, interpolation, outside=0.0), unit=volume.unit)


def resample_onto(
    volume: Volume, grid: Volume, *, interpolation: Interpolation = "nearest", outside: float = 0.0
) -> Volume:
    """Values of ``volume`` at the voxel centres of ``grid``; ``outside`` where there are none.

    With ``nearest`` the dtype stays (labels stay labels); otherwise the result is ``float32``.
    """
    if interpolation != "nearest":
        volume = volume.with_array(volume.array.astype(np.float32))
    if _same_grid(volume, grid):
        return volume
    result = _run(
        to_itk(volume), to_itk(grid.with_array(np.zeros(grid.shape, np.uint8))), interpolation, outside=outside
    )
    return from_itk(result, unit=volume.unit)


def to_itk(volume: Volume) -> sitk.Image:
    """The same volume as SimpleITK image (axes x, y, z)."""
    image = sitk.GetImageFromArray(np.ascontiguousarray(volume.array))
    image.SetSpacing([float(s) for s in volume.spacing_mm[::-1]])
    image.SetOrigin([float(x) for x in volume.origin_mm])
    image.SetDirection(np.asarray(volume.direction, dtype=float)[:, ::-1].ravel().tolist())
    return image


def from_itk(image: sitk.Image, *, unit: str = "arbitrary") -> Volume:
    """A SimpleITK image as volume."""
    direction = np.asarray(image.GetDirection(), dtype=float).reshape(3, 3)[:, ::-1]
    z, y, x = (float(s) for s in image.GetSpacing()[::-1])
    ox, oy, oz = (float(s) for s in image.GetOrigin())
    rows = [(float(a), float(b), float(c)) for a, b, c in direction]
    return Volume(sitk.GetArrayFromImage(image), (z, y, x), (ox, oy, oz), (rows[0], rows[1], rows[2]), unit)


def _run(image: sitk.Image, target: sitk.Image, interpolation: Interpolation, *, outside: float) -> sitk.Image:
    resampler = sitk.ResampleImageFilter()
    resampler.SetReferenceImage(target)
    resampler.SetInterpolator(_METHODS[interpolation])
    resampler.SetDefaultPixelValue(outside)
    return resampler.Execute(image)


def _smoothed(volume: Volume, spacing_mm: Triple) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    ratio = np.asarray(spacing_mm, dtype=float) / np.asarray(volume.spacing_mm)
    array = volume.array.astype(np.float32)
    if (ratio <= 1 + 1e-6).all():
        return array
    from scipy.ndimage import gaussian_filter  # only where a grid becomes coarser

    return np.asarray(gaussian_filter(array, sigma=np.maximum(0.0, (ratio - 1) / 2), mode="nearest"), dtype=np.float32)


def _same_grid(one: Volume, other: Volume) -> bool:
    return one.shape == other.shape and np.allclose(one.affine, other.affine, rtol=0, atol=1e-4)
