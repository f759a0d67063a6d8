"""The image sheared: planes shifted in proportion to their distance from the centre, as a pack of cards is pushed.

No grid of a volume can say this, as its axes are at right angles: positions in mm are no longer true. For augmentation.
"""

from __future__ import annotations

from typing import ClassVar, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from tasks.imaging.grid_step import GridStep
from tasks.imaging.placement import AxisName, Floats, Outside, Placement, axis_of
from tasks.imaging.step import Spacing, View


def sheared(*, spacing_mm: Spacing, degrees: float, along: AxisName, across: AxisName) -> Floats:
    """The matrix, in voxels, that moves what is seen along one axis by ``tan(degrees)`` mm for each mm across it.

    Axes that a picture has not change nothing.
    """
    count = len(spacing_mm)
    matrix = np.eye(count)
    one, other = axis_of(along, count), axis_of(across, count)
    if one is not None and other is not None:
        matrix[one, other] = -np.tan(np.deg2rad(degrees)) * spacing_mm[other] / spacing_mm[one]
    return matrix


class Settings(GridStep):
    """Sheared by ``degrees``: moved along one axis as far as it lies across it."""

    for_augmentation: ClassVar[bool] = True

    name: Literal["shear"] = "shear"
    outside: Outside = "background"
    degrees: float = Field(default=8.0, ge=-60, le=60)
    along: AxisName = "x"
    across: AxisName = "y"

    @model_validator(mode="after")
    def _two_axes(self) -> Self:
        if self.along == self.across:
            raise ValueError(f"expected two different axes; got {self.along!r} twice")
        return self

    def placement(self, view: View) -> Placement:
        """The same centre, spacing and shape, axes askew."""
        matrix = sheared(spacing_mm=view.spacing_mm, degrees=self.degrees, along=self.along, across=self.across)
        return Placement.centred(view.shape, matrix, view.shape)
