"""Operations that give the image another grid: crop, pad, flip, rotate, scale, reorient, resample."""

from __future__ import annotations

from abc import abstractmethod

from tasks.imaging.placement import BACKGROUND, Box, Interpolation, Outside, Placement
from tasks.imaging.placing import place, support
from tasks.imaging.step import Array, Index, Step, View


class GridStep(Step):
    """A step that gives the image another grid. Subclasses override :meth:`placement`; they have no ``apply``.

    Attributes
    ----------
    interpolation
        ``nearest``, ``linear`` or ``cubic`` (B-spline of third order).
    outside
        Value where the new grid lies outside the old one: a number, ``edge`` (that of the nearest voxel), or
        ``background`` (see ``BACKGROUND``; ``edge`` in a unit that has none).
    """

    interpolation: Interpolation = "linear"
    outside: Outside = "edge"

    @abstractmethod
    def placement(self, view: View) -> Placement:
        """The new grid of an image; ``view.measured`` is known."""

    def support(self, placement: Placement) -> Index:
        """Voxels of the old grid around a point that its value depends on: interpolation and anti-aliasing."""
        return support(placement, self.interpolation)

    def in_unit(self, unit: str) -> GridStep:
        """The step for an image in this unit: ``outside`` is a number or ``edge``."""
        if self.outside != "background":
            return self
        return self.model_copy(update={"outside": BACKGROUND.get(unit, "edge")})

    def place(self, block: Array, block_start: Index, placement: Placement, box: Box, old_shape: Index) -> Array:
        """Values at the new voxels of ``box``, from a block of the old image that begins at ``block_start``."""
        outside = None if isinstance(self.outside, str) else self.outside
        return place(block, block_start, placement, box, old_shape, interpolation=self.interpolation, outside=outside)

    def apply(self, block: Array, view: View) -> Array:
        """The whole image on its new grid."""
        placement = self.placement(view)
        box = ((0,) * len(placement.shape), placement.shape)
        return self.in_unit(view.unit).place(block, view.start, placement, box, view.shape)

    def for_masks(self) -> GridStep:
        """The same step as masks follow it: by the nearest voxel, and nothing outside."""
        return self.model_copy(update={"interpolation": "nearest", "outside": 0.0})
