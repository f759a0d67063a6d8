"""Where the voxels of a new grid lie in the old one, and how their values are found: what all of geometry comes down to.

Crop, pad, flip, rotate, scale, reorient and resample differ only in a :class:`Placement`, an affine map from new to old
indices. The patient does not move: the map moves the grid, and with it origin, spacing and direction, so that positions
in mm stay true, and masks follow by the same map with the nearest voxel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from tasks.imaging.step import Array, Index, Step, View

Interpolation = Literal["nearest", "linear", "cubic"]
Floats = npt.NDArray[np.floating[Any]]
Box = tuple[Index, Index]
"""First index and one past the last, along the spatial axes."""


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

    @property
    def is_separable(self) -> bool:
        """Whether each new axis follows one old axis of the same place: crop, pad, flip, scale, resample."""
        return bool(np.allclose(self.matrix, np.diag(np.diag(self.matrix)), rtol=0, atol=1e-12))

    def spacing_after(self, spacing_mm: tuple[float, ...]) -> tuple[float, ...]:
        """Spacing of the new grid in mm."""
        columns = np.asarray(spacing_mm)[:, None] * self.matrix
        return tuple(float(length) for length in np.linalg.norm(columns, axis=0))

    def needs(self, box: Box, old_shape: Index, margin: Index) -> Box:
        """The part of the old grid that a box of the new one depends on; at least one voxel."""
        start, stop = np.asarray(box[0], dtype=float), np.asarray(box[1], dtype=float) - 1
        ends = np.stack([start, stop])
        corners = np.stack(np.meshgrid(*ends.T, indexing="ij"), axis=-1).reshape(-1, len(start))
        old = corners @ self.matrix.T + self.offset
        shape = np.asarray(old_shape)
        low = np.clip(np.floor(old.min(axis=0)).astype(int) - margin, 0, shape - 1)
        high = np.clip(np.ceil(old.max(axis=0)).astype(int) + np.asarray(margin) + 1, low + 1, shape)
        return tuple(int(n) for n in low), tuple(int(n) for n in high)


class GridStep(Step):
    """A step that gives the image another grid. Subclasses override :meth:`placement`; they have no ``apply``.

    Attributes
    ----------
    interpolation
        ``nearest``, ``linear`` or ``cubic`` (B-spline of third order).
    outside
        Value where the new grid lies outside the old one; ``None``: that of the nearest voxel.
    """

    interpolation: Interpolation = "linear"
    outside: float | None = None

    def placement(self, view: View) -> Placement:
        """The new grid of an image; ``view.measured`` is known."""
        raise NotImplementedError

    def support(self, placement: Placement) -> Index:
        """Voxels of the old grid around a point that its value depends on: interpolation and anti-aliasing."""
        from tasks.imaging.placing import support

        return support(placement, self.interpolation)

    def place(self, block: Array, block_start: Index, placement: Placement, box: Box, old_shape: Index) -> Array:
        """Values at the new voxels of ``box``, from a block of the old image that begins at ``block_start``."""
        from tasks.imaging.placing import place

        return place(
            block, block_start, placement, box, old_shape, interpolation=self.interpolation, outside=self.outside
        )

    def apply(self, block: Array, view: View) -> Array:
        """The whole image on its new grid."""
        placement = self.placement(view)
        return self.place(block, view.start, placement, ((0,) * len(placement.shape), placement.shape), view.shape)

    def for_masks(self) -> GridStep:
        """The same step as masks follow it: by the nearest voxel, and nothing outside."""
        return self.model_copy(update={"interpolation": "nearest", "outside": 0.0})
