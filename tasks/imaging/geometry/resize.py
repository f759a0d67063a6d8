"""The image on a given number of voxels, e.g. all pictures of a cohort on the same size.

The new grid covers the field of the old one. With ``keep_aspect`` all axes shrink or grow alike, so that the field
fits, and what is left of the new grid at both sides is padded.
"""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from tasks.imaging.grid_step import GridStep
from tasks.imaging.placement import Outside, Placement, per_axis
from tasks.imaging.step import Index, View

Count = Annotated[int, Field(ge=1, le=8192)]


def resized(old_shape: Index, shape: Index, *, keep_aspect: bool = False) -> Placement:
    """The grid of another shape with the same centre and the same field, or with a field that holds it."""
    ratio = np.asarray(old_shape, dtype=float) / np.asarray(shape)
    if keep_aspect:
        ratio = np.full(len(shape), ratio.max())
    return Placement.centred(shape, np.diag(ratio), old_shape)


class Settings(GridStep):
    """Brought to ``shape``."""

    name: Literal["resize"] = "resize"
    outside: Outside = "background"
    shape: Count | tuple[Count, Count] | tuple[Count, Count, Count] = Field(
        default=(256, 256),
        description="Voxels: one number for every axis, or (z, y, x). Pictures take the last two, and of a volume two "
        "numbers change only y and x.",
    )
    keep_aspect: bool = Field(default=False, description="Scale the resized axes alike, and pad.")

    def placement(self, view: View) -> Placement:
        """The same centre, another number of voxels."""
        shape = tuple(int(n) for n in per_axis(self.shape, view.shape))
        kept = 1 if isinstance(self.shape, tuple) and len(self.shape) < len(view.shape) else 0
        placement = resized(view.shape[kept:], shape[kept:], keep_aspect=self.keep_aspect)
        matrix, offset = np.eye(len(shape)), np.zeros(len(shape))
        matrix[kept:, kept:], offset[kept:] = placement.matrix, placement.offset
        return Placement(shape, matrix, offset)
