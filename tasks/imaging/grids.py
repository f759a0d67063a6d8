"""Volumes on new grids: origin, spacing and direction move with the voxels, and masks follow their image.

A position in mm means the same place in the patient before and after every step on the grid.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from storage.volume import Volume
from tasks.imaging.grid_step import GridStep
from tasks.imaging.placement import Placement
from tasks.imaging.step import View, look

SKEW = 1e-6
"""Cosines between the new axes up to this are rounding."""


def moved(volume: Volume, placement: Placement, array: Any) -> Volume:
    """The volume with another array on the grid that a placement gives.

    Parameters
    ----------
    volume
        On the old grid; its array does not matter.
    placement
        From new to old indices.
    array
        NumPy's or Dask's, of the placement's shape.

    Raises
    ------
    ValueError
        When the array has another shape, or the placement shears: a volume's axes are at right angles.
    """
    if array.shape != placement.shape:
        raise ValueError(f"expected an array of the placement's shape {placement.shape}; got {array.shape}")
    columns = volume.affine[:3, :3] @ placement.matrix
    lengths = np.linalg.norm(columns, axis=0)
    axes = columns / lengths
    old = np.asarray(volume.direction, dtype=float)
    if np.abs(axes.T @ axes - np.eye(3)).max() > np.abs(old.T @ old - np.eye(3)).max() + SKEW:
        raise ValueError("the placement shears: its axes are not at right angles, and a volume's are")
    x, y, z = (float(v) for v in volume.to_world_mm(placement.offset))
    dz, dy, dx = placement.spacing_after(volume.spacing_mm)
    rows = tuple((float(a), float(b), float(c)) for a, b, c in axes)
    return Volume(array, (dz, dy, dx), (x, y, z), (rows[0], rows[1], rows[2]), volume.unit)


def regridded(volume: Volume, step: GridStep) -> Volume:
    """The volume on the grid that a step gives it."""
    view = View.of(volume.array, volume.spacing_mm, unit=volume.unit, direction=volume.direction)
    view = look(step, volume.array, view)
    return moved(volume, step.placement(view), step.apply(volume.array, view))


def follow(mask: Volume, step: GridStep, view: View) -> Volume:
    """A mask on the grid that a step has given its image: the nearest voxel's label, and 0 outside.

    Parameters
    ----------
    mask
        On the image's old grid.
    view
        What the step knew of the image, measured on it and not on the mask.

    Raises
    ------
    ValueError
        When the mask is not on the image's grid.
    """
    if mask.shape != view.shape:
        raise ValueError(f"expected a mask of the image's shape {view.shape}; got {mask.shape}")
    return moved(mask, step.placement(view), step.for_masks().apply(mask.array, view))
