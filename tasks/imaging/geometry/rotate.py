"""The grid turned about an axis through its centre; the picture seen in it turns the other way, the patient stays."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from storage.errors import CaseError
from tasks.imaging.grid_step import GridStep
from tasks.imaging.placement import AxisName, Floats, Outside, Placement, axis_of
from tasks.imaging.step import Index, Spacing, View

Extent = Literal["same", "all"]


def turned(*, spacing_mm: Spacing, degrees: float, axis: AxisName = "z") -> Floats:
    """The matrix, in voxels, that turns what is seen as ``numpy.rot90`` does, from the first other axis to the second.

    Seen with y down and x to the right, a turn about ``z`` is counter-clockwise. ``CaseError`` for a picture and an
    axis that lies in its plane.
    """
    count = len(spacing_mm)
    about = axis_of(axis, count)
    if count == 2 and about is not None:
        raise CaseError(f"a picture turns about z only; got {axis!r}")
    one, other = (n for n in range(count) if n != about)
    matrix = np.eye(count)
    cos, sin = np.round([np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))], 15)
    matrix[one, one] = matrix[other, other] = cos
    matrix[one, other], matrix[other, one] = sin, -sin
    spacing = np.asarray(spacing_mm, dtype=float)
    return np.asarray(matrix * spacing / spacing[:, None])


def holding(shape: Index, matrix: Floats, extent: Extent) -> Index:
    """Voxels of a centred new grid: as many as the old one has, or as many as hold ``all`` of it."""
    if extent == "same":
        return shape
    reach = np.abs(np.linalg.inv(matrix)) @ np.asarray(shape, dtype=float)
    return tuple(max(1, int(n)) for n in np.ceil(reach - 1e-6))


class Settings(GridStep):
    """Turned by ``degrees`` about ``axis``."""

    name: Literal["rotate"] = "rotate"
    outside: Outside = "background"
    degrees: float = Field(default=10.0, ge=-360, le=360, description="Counter-clockwise, seen with y down, about z.")
    axis: AxisName = "z"
    extent: Extent = Field(default="same", description="'same' shape, or a grid that holds 'all' of the old one.")

    def placement(self, view: View) -> Placement:
        """The same centre and spacing, other axes."""
        matrix = turned(spacing_mm=view.spacing_mm, degrees=self.degrees, axis=self.axis)
        return Placement.centred(holding(view.shape, matrix, self.extent), matrix, view.shape)
