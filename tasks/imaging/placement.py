"""Where the voxels of a new grid lie in the old one: all of geometry.

Crop, pad, flip, rotate, scale, reorient and resample differ only in a :class:`Placement`, an affine map from new to old
indices. The patient does not move: the map moves the grid, and with it origin, spacing and direction, so that positions
in mm stay true, and masks follow by the same map with the nearest voxel. How values are found there is told in
:mod:`tasks.imaging.placing`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from tasks.imaging.step import Index

Interpolation = Literal["nearest", "linear", "cubic"]
Outside = float | Literal["edge", "background"]
Floats = npt.NDArray[np.floating[Any]]
Box = tuple[Index, Index]
"""First index and one past the last, along the spatial axes."""

AxisName = Literal["z", "y", "x"]

BACKGROUND = {"HU": -1024.0, "SUV": 0.0, "arbitrary": 0.0, "grey": 0.0, "share": 0.0, "label": 0.0}
"""What lies around a patient, by unit: air, no activity, no signal. Other units have no such value."""


@dataclass(frozen=True)
class Placement:
    """An affine map: ``old index = matrix @ new index + offset``, in voxels.

    Attributes
    ----------
    shape
        Voxels of the new grid along the spatial axes.
    matrix
        ``(n, n)`` for n spatial axes.
    offset
        ``(n,)``: where in the old grid the new one's first voxel lies.
    """

    shape: Index
    matrix: Floats
    offset: Floats

    @classmethod
    def centred(cls, shape: Index, matrix: Floats, old_shape: Index) -> Placement:
        """The map that keeps the centre of the old grid in the centre of the new one."""
        centre, old_centre = (np.asarray(shape) - 1) / 2, (np.asarray(old_shape) - 1) / 2
        return cls(shape, matrix, old_centre - matrix @ centre)

    def spacing_after(self, spacing_mm: tuple[float, ...]) -> tuple[float, ...]:
        """Spacing of the new grid in mm, free of rounding: ``old * (new / old)`` is ``new``."""
        columns = np.asarray(spacing_mm)[:, None] * self.matrix
        return tuple(round(float(length), 12) for length in np.linalg.norm(columns, axis=0))

    def needs(self, box: Box, old_shape: Index, margin: Index) -> Box:
        """The part of the old grid that a box of the new one depends on; at least one voxel."""
        start, stop = np.asarray(box[0], dtype=float), np.asarray(box[1], dtype=float) - 1
        ends = np.stack([start, stop])
        corners = np.stack(np.meshgrid(*ends.T, indexing="ij"), axis=-1).reshape(-1, len(start))
        shape = np.asarray(old_shape)
        old = np.clip(corners @ self.matrix.T + self.offset, 0, shape - 1)  # outside, the nearest voxel counts
        low = np.clip(np.floor(old.min(axis=0)).astype(int) - margin, 0, shape - 1)
        high = np.clip(np.ceil(old.max(axis=0)).astype(int) + np.asarray(margin) + 1, low + 1, shape)
        return tuple(int(n) for n in low), tuple(int(n) for n in high)


def axis_of(name: AxisName, axes: int) -> int | None:
    """The axis of this name among two or three; ``None``: a picture has no ``z``."""
    place = "zyx".index(name) - 3 + axes
    return place if place >= 0 else None


def per_axis(values: float | tuple[float, ...], otherwise: tuple[float, ...]) -> tuple[float, ...]:
    """One value for each axis: the same for all, or those of the last axes and ``otherwise`` for the ones before."""
    if not isinstance(values, tuple):
        return (values,) * len(otherwise)
    missing = max(0, len(otherwise) - len(values))
    return (*otherwise[:missing], *values[-len(otherwise) :])
