"""The image on a grid of another spacing.

The new grid has the centre of the old one (the IBSI's "align by centre", doi:10.1148/radiol.2020191145), so that no
half-voxel shift enters, and ``ceil(n * old / new)`` voxels along each axis, so that it covers the old field.
"""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from tasks.imaging.grid_step import GridStep
from tasks.imaging.placement import Placement, per_axis
from tasks.imaging.step import Index, Spacing, View

Positive = Annotated[float, Field(gt=0, le=1000)]
SAME = 1e-6
"""Spacings within so many mm are one; and so many voxels more than a whole number of them are rounding: without it, 60
voxels of 3.27 mm would become 61 of 3.27 mm."""


def resampled(shape: Index, *, spacing_mm: Spacing, new_spacing_mm: Spacing) -> Placement:
    """The grid of another spacing with the same centre.

    Parameters
    ----------
    shape, spacing_mm
        Of the old grid.
    new_spacing_mm
        Along the same axes, in mm.
    """
    old, new = np.asarray(spacing_mm, dtype=float), np.asarray(new_spacing_mm, dtype=float)
    if np.allclose(old, new, rtol=0, atol=SAME):
        new = old
    count = np.maximum(1, np.ceil(np.asarray(shape) * old / new - SAME)).astype(int)
    return Placement.centred(tuple(int(n) for n in count), np.diag(new / old), shape)


class Settings(GridStep):
    """Resampled to ``spacing_mm``."""

    name: Literal["resample"] = "resample"
    spacing_mm: Positive | tuple[Positive, Positive] | tuple[Positive, Positive, Positive] = Field(
        default=1.0,
        description="New spacing in mm: one number for every axis, or (z, y, x). Pictures take the last two, and of a "
        "volume two numbers change only y and x.",
    )

    def placement(self, view: View) -> Placement:
        """The same centre, another spacing."""
        new = per_axis(self.spacing_mm, view.spacing_mm)
        return resampled(view.shape, spacing_mm=view.spacing_mm, new_spacing_mm=new)
