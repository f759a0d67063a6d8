"""A coarse copy of an image, collected from its blocks: enough to see where the patient or an organ lies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from storage.volume import Triple
from tasks.imaging.morphology import BoolArray
from tasks.imaging.step import Array, Blocks, Index, View

MOST_CELLS = 128
"""Cells along an axis: a volume's copy takes 8 MB at most, and a cell of a CT is some 3 mm long."""


@dataclass(frozen=True, eq=False)
class Coarse:
    """Means of cells of voxels.

    Attributes
    ----------
    means
        float32 ``(z, y, x)``; a picture is one slice, and in colour the mean of its colours.
    cell
        Voxels of a cell along ``(z, y, x)``; the last cell of an axis may be cut.
    spacing_mm
        Of the cells.
    shape
        Of the image, along its two or three spatial axes.
    """

    means: npt.NDArray[np.float32]
    cell: tuple[int, int, int]
    spacing_mm: Triple
    shape: Index

    def box(self, mask: BoolArray) -> tuple[list[int], list[int]]:
        """First voxel of a mask's cells along the image's axes, and one past the last: at most a cell too large."""
        start, stop = [], []
        for axis in range(3 - len(self.shape), 3):
            hits = np.flatnonzero(mask.any(axis=tuple(a for a in range(3) if a != axis)))
            start.append(int(hits[0]) * self.cell[axis])
            stop.append(min(self.shape[len(start) - 1], (int(hits[-1]) + 1) * self.cell[axis]))
        return start, stop


def coarse_copy(blocks: Blocks, view: View) -> Coarse:
    """Go through the image once and keep the mean of each cell; ``MOST_CELLS`` along an axis at most."""
    z, y, x = (1,) * (3 - len(view.shape)) + tuple(-(-n // MOST_CELLS) for n in view.shape)
    cell, axes = (z, y, x), len(view.shape)
    own = cell[3 - axes :]
    sums = np.zeros([-(-n // c) for n, c in zip(view.shape, own, strict=True)])
    for start, block in blocks():
        part = block.mean(axis=-1, dtype=np.float64) if block.ndim > axes else block
        where = [slice(b // c, -(-(b + n) // c)) for b, n, c in zip(start, part.shape, own, strict=True)]
        for axis in reversed(range(axes)):  # rows first: the first sums are the largest array
            part = _added(part, (start[axis] + np.arange(part.shape[axis])) // own[axis], axis)
        sums[tuple(where)] += part
    for axis, (n, size) in enumerate(zip(view.shape, own, strict=True)):
        counts = np.minimum(size, n - size * np.arange(sums.shape[axis]))
        sums /= counts.reshape([-1 if a == axis else 1 for a in range(axes)])
    means = sums.astype(np.float32).reshape((1,) * (3 - axes) + sums.shape)
    dz, dy, dx = np.asarray(cell) * ((1.0,) * (3 - axes) + tuple(view.spacing_mm))
    return Coarse(means, cell, (float(dz), float(dy), float(dx)), tuple(view.shape))


def _added(part: Array, cells: npt.NDArray[np.intp], axis: int) -> Array:
    """Sums over the voxels of each cell along an axis."""
    first = np.concatenate([[0], np.flatnonzero(np.diff(cells)) + 1])
    return np.add.reduceat(part, first, axis=axis, dtype=np.float64)
