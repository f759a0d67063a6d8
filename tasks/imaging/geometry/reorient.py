"""Axes put into the order and direction of a named frame, without resampling.

Each axis of the array goes to the patient's axis that it follows best; an oblique volume stays as oblique as it was. A
position in mm is the same before and after.
"""

from __future__ import annotations

import itertools
from typing import Annotated, Literal

import numpy as np
from pydantic import AfterValidator

from storage.errors import CaseError
from tasks.imaging.grid_step import GridStep
from tasks.imaging.placement import Placement
from tasks.imaging.step import Direction, Index, View

_TOWARDS = {"L": (0, 1.0), "R": (0, -1.0), "P": (1, 1.0), "A": (1, -1.0), "S": (2, 1.0), "I": (2, -1.0)}
"""Axis of LPS coordinates, and sign, of each letter."""


def _frame(letters: str) -> str:
    if sorted(_TOWARDS[letter][0] if letter in _TOWARDS else 3 for letter in letters) != [0, 1, 2]:
        raise ValueError(f"expected one letter each of L or R, P or A, S or I, such as 'LPS'; got {letters!r}")
    return letters


Frame = Annotated[str, AfterValidator(_frame)]


def reoriented(shape: Index, direction: Direction, frame: str) -> Placement:
    """The grid whose axes run as a frame's letters say.

    Parameters
    ----------
    shape
        Of the old grid, ``(z, y, x)``.
    direction
        Of the old grid, as :class:`~storage.volume.Volume` has it.
    frame
        Three letters, where the axes ``x``, ``y`` and ``z`` of the new array shall run *to*, in this order, as ITK and
        NIfTI tools name frames.
    """
    wanted = np.zeros((3, 3))
    for axis, letter in enumerate(reversed(frame)):
        world, sign = _TOWARDS[letter]
        wanted[world, axis] = sign
    likeness = np.asarray(direction, dtype=float).T @ wanted  # of old axes (rows) with new ones (columns)
    order = max(itertools.permutations(range(3)), key=lambda p: float(np.abs(likeness[p, range(3)]).sum()))
    matrix = np.zeros((3, 3))
    matrix[order, range(3)] = np.where(likeness[order, range(3)] < 0, -1.0, 1.0)
    return Placement.centred(tuple(shape[old] for old in order), matrix, shape)


class Settings(GridStep):
    """Axes x, y and z run to ``frame``; pictures stay as they are."""

    name: Literal["reorient"] = "reorient"
    interpolation: Literal["nearest"] = "nearest"
    frame: Frame = "LPS"

    def placement(self, view: View) -> Placement:
        """Another order of axes; ``CaseError`` where the volume's direction is not known."""
        if len(view.shape) == 2:
            return Placement.centred(view.shape, np.eye(2), view.shape)
        if view.direction is None:
            raise CaseError("the volume does not say how it lies in the patient; expected its direction")
        return reoriented(view.shape, view.direction, self.frame)
