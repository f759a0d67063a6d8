"""Voxels added around the image: by a margin in mm, up to a least shape, up to a multiple.

Networks that halve their input n times want multiples of ``2 ** n`` voxels.
"""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from tasks.imaging.grid_step import GridStep
from tasks.imaging.placement import Outside, Placement, per_axis
from tasks.imaging.step import Index, Spacing, View

Margin = Annotated[float, Field(ge=0, le=1000)]
Count = Annotated[int, Field(ge=1, le=8192)]


def padded(shape: Index, *, spacing_mm: Spacing, margin_mm: Spacing, at_least: Index, multiple_of: Index) -> Placement:
    """The grid with as many voxels more on either side; one that cannot be shared out comes at the end.

    All parameters are along the spatial axes; they are met in this order: ``margin_mm`` (at least so much on each
    side), ``at_least`` and ``multiple_of`` voxels altogether.
    """
    margin = np.ceil(np.asarray(margin_mm) / np.asarray(spacing_mm) - 1e-6).astype(int)
    wanted = np.maximum(np.asarray(shape) + 2 * margin, at_least)
    wanted = -(-wanted // np.asarray(multiple_of)) * np.asarray(multiple_of)
    before = (wanted - np.asarray(shape)) // 2
    return Placement(tuple(int(n) for n in wanted), np.eye(len(shape)), -before.astype(float))


class Settings(GridStep):
    """Padded by a margin, to a least shape, to a multiple: one number for every axis, or (z, y, x).

    Pictures take the last two, and of a volume two numbers change only y and x.
    """

    name: Literal["pad"] = "pad"
    interpolation: Literal["nearest"] = "nearest"
    outside: Outside = "background"
    margin_mm: Margin | tuple[Margin, Margin] | tuple[Margin, Margin, Margin] = 0.0
    at_least: Count | tuple[Count, Count] | tuple[Count, Count, Count] = 1
    multiple_of: Count | tuple[Count, Count] | tuple[Count, Count, Count] = 16

    def placement(self, view: View) -> Placement:
        """The old grid and what is added."""
        zeros, ones = (0.0,) * len(view.shape), (1,) * len(view.shape)
        return padded(
            view.shape,
            spacing_mm=view.spacing_mm,
            margin_mm=per_axis(self.margin_mm, zeros),
            at_least=tuple(int(n) for n in per_axis(self.at_least, ones)),
            multiple_of=tuple(int(n) for n in per_axis(self.multiple_of, ones)),
        )
