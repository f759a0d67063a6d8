"""The image magnified or made smaller about its centre; the grid's voxels become smaller or larger in mm.

Unlike ``resample`` it does not ask for a spacing, and by default keeps the number of voxels: a closer look, or one from
farther away.
"""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from tasks.imaging.geometry.rotate import Extent, holding
from tasks.imaging.grid_step import GridStep
from tasks.imaging.placement import Outside, Placement, per_axis
from tasks.imaging.step import View

Factor = Annotated[float, Field(ge=0.05, le=20)]


class Settings(GridStep):
    """Magnified by ``factor``."""

    name: Literal["scale"] = "scale"
    outside: Outside = "background"
    factor: Factor | tuple[Factor, Factor] | tuple[Factor, Factor, Factor] = Field(
        default=1.2,
        description="Above 1 what is seen grows: one number, or (z, y, x), of which pictures take the last.",
    )
    extent: Extent = Field(default="same", description="'same' shape, or a grid that holds 'all' of the old one.")

    def placement(self, view: View) -> Placement:
        """The same centre, voxels ``1 / factor`` as long."""
        factor = per_axis(self.factor, (1.0,) * len(view.shape))
        matrix = np.diag(1.0 / np.asarray(factor))
        return Placement.centred(holding(view.shape, matrix, self.extent), matrix, view.shape)
