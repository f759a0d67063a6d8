"""The order of voxels reversed along axes; the patient stays where he is.

The direction of the grid is reversed with it, so that a position in mm is the same before and after.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from tasks.imaging.placement import GridStep, Placement
from tasks.imaging.step import View

_FROM_LAST = {"z": 3, "y": 2, "x": 1}


class Settings(GridStep):
    """Reversed along ``axes``; ``z`` of a picture is none and left out."""

    name: Literal["flip"] = "flip"
    interpolation: Literal["nearest"] = "nearest"
    axes: tuple[Literal["z", "y", "x"], ...] = ("x",)

    def placement(self, view: View) -> Placement:
        """``old = n - 1 - new`` along the reversed axes."""
        count = len(view.shape)
        sign, offset = np.ones(count), np.zeros(count)
        for axis in self.axes:
            if (place := count - _FROM_LAST[axis]) >= 0:
                sign[place], offset[place] = -1.0, view.shape[place] - 1
        return Placement(view.shape, np.diag(sign), offset)
