"""The order of voxels reversed along axes; the patient stays where he is.

The direction of the grid is reversed with it, so that a position in mm is the same before and after.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from tasks.imaging.grid_step import GridStep
from tasks.imaging.placement import AxisName, Placement, axis_of
from tasks.imaging.step import View


class Settings(GridStep):
    """Reversed along ``axes``; ``z`` of a picture is none and left out."""

    name: Literal["flip"] = "flip"
    interpolation: Literal["nearest"] = "nearest"
    axes: tuple[AxisName, ...] = ("x",)

    def placement(self, view: View) -> Placement:
        """``old = n - 1 - new`` along the reversed axes."""
        count = len(view.shape)
        sign = np.ones(count)
        for name in self.axes:
            if (axis := axis_of(name, count)) is not None:
                sign[axis] = -1.0
        return Placement.centred(view.shape, np.diag(sign), view.shape)
