"""The grid that features are computed on: interpolation, section 2.4 of the IBSI manual (arXiv:1612.07003).

The new grid has the centre of the image's grid. Only what is asked for is interpolated: the box of a region and its
surroundings, unless filters need the whole image. Nothing is smoothed against aliasing, as the standard has it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, Literal, cast

import numpy as np
import numpy.typing as npt
from pydantic import Field

from storage.volume import Triple, Volume
from tasks.imaging.geometry.resample import resampled
from tasks.imaging.morphology import BoolArray, Box, mask_box
from tasks.imaging.placement import Placement, per_axis
from tasks.imaging.placing import place, support
from tasks.settings import StageSettings

Positive = Annotated[float, Field(gt=0, le=1000)]
REACH = 3
"""Voxels around a box of the original image that its mask's interpolation may look at."""
NOWHERE: Box = (slice(0, 0), slice(0, 0), slice(0, 0))
HALF = 1e-6
"""A mask's share of a voxel within this of the threshold meets it: shares are sums of rounded products."""


class Interpolation(StageSettings):
    """How image and mask come to the grid.

    Attributes
    ----------
    spacing_mm
        One number for every axis, two for y and x alone, or ``(z, y, x)``, in mm; ``None``: the image's grid.
    image
        ``"linear"``, ``"cubic"`` (B-spline of third order) or ``"nearest"``.
    mask
        ``"linear"``, or ``"nearest"``.
    mask_threshold
        Share of a voxel from which on it belongs to the mask.
    round_intensities
        To whole numbers, after the interpolation: for HU, which are whole numbers.
    """

    spacing_mm: Positive | tuple[Positive, Positive] | tuple[Positive, Positive, Positive] | None = None
    image: Literal["linear", "cubic", "nearest"] = "linear"
    mask: Literal["linear", "nearest"] = "linear"
    mask_threshold: float = Field(0.5, gt=0, lt=1)
    round_intensities: bool = False


@dataclass(frozen=True, eq=False)
class Grid:
    """An image on the grid of its features, of which parts are made when they are needed."""

    original: Volume
    settings: Interpolation

    @cached_property
    def placement(self) -> Placement | None:
        """From the grid's indices to those of the original image; ``None``: they are the same."""
        if self.settings.spacing_mm is None:
            return None
        new = per_axis(self.settings.spacing_mm, self.original.spacing_mm)
        return resampled(self.original.shape, spacing_mm=self.original.spacing_mm, new_spacing_mm=new)

    @cached_property
    def shape(self) -> tuple[int, int, int]:
        """Voxels along (z, y, x)."""
        return cast("tuple[int, int, int]", self.placement.shape if self.placement else self.original.shape)

    @cached_property
    def spacing_mm(self) -> Triple:
        """Voxel spacing (z, y, x) in mm."""
        before = self.original.spacing_mm
        return cast("Triple", self.placement.spacing_after(before) if self.placement else before)

    @cached_property
    def whole(self) -> npt.NDArray[Any]:
        """The whole image on the grid."""
        return self._made((slice(0, self.shape[0]), slice(0, self.shape[1]), slice(0, self.shape[2])))

    def image(self, box: Box) -> npt.NDArray[Any]:
        """Intensities in a box of the grid."""
        return self.whole[box] if "whole" in self.__dict__ else self._made(box)

    def mask(self, box: Box, mask: BoolArray) -> tuple[Box, BoolArray]:
        """A mask in a box of the original image, as box and mask on the grid.

        The box is the smallest one; of an empty mask it has no voxels.
        """
        if self.placement is None:
            around, found = box, mask
        else:
            around = self._reached_from(box)
            if any(side.start == side.stop for side in around):
                return NOWHERE, np.zeros((0, 0, 0), dtype=bool)
            wide = _grown(box, REACH, self.original.shape)
            padding = [(s.start - w.start, w.stop - s.stop) for s, w in zip(box, wide, strict=True)]
            block = np.pad(mask, padding).astype(np.float64 if self.settings.mask == "linear" else np.uint8)
            shares = self._placed(block, wide, around, self.settings.mask)
            found = shares >= self.settings.mask_threshold - HALF
        if not found.any():
            return NOWHERE, np.zeros((0, 0, 0), dtype=bool)
        tight = mask_box(found)
        z, y, x = (slice(a.start + t.start, a.start + t.stop) for a, t in zip(around, tight, strict=True))
        return (z, y, x), found[tight]

    def _made(self, box: Box) -> npt.NDArray[Any]:
        if self.placement is None:
            array = self.original.array[box]
        else:
            reach = support(self.placement, self.settings.image, antialias=False)
            low, high = self.placement.needs(_ends(box), self.original.shape, reach)
            part = cast("Box", tuple(slice(a, b) for a, b in zip(low, high, strict=True)))
            array = self._placed(self.original.array[part], part, box, self.settings.image)
        return np.rint(array) if self.settings.round_intensities else np.asarray(array)

    def _placed(
        self, block: npt.NDArray[Any], part: Box, box: Box, interpolation: Literal["linear", "cubic", "nearest"]
    ) -> npt.NDArray[Any]:
        if self.placement is None:
            raise ValueError("the grid is the image's own: nothing is interpolated")
        start = tuple(side.start for side in part)
        shape = self.original.shape
        return place(
            block, start, self.placement, _ends(box), shape, interpolation=interpolation, outside=None, antialias=False
        )

    def _reached_from(self, box: Box) -> Box:
        """The voxels of the grid that lie less than a voxel of the original image away from a box of it."""
        if self.placement is None:
            return box
        steps, offsets = np.diag(self.placement.matrix), self.placement.offset
        sides = []
        for side, step, offset, old, new in zip(box, steps, offsets, self.original.shape, self.shape, strict=True):
            # Beyond the border voxels' centres the image goes on with their values, and so does the mask.
            first = 0 if side.start == 0 else int(np.clip(np.ceil((side.start - 1 - offset) / step), 0, new))
            stop = new if side.stop == old else int(np.clip(np.floor((side.stop - offset) / step) + 1, first, new))
            sides.append(slice(first, stop))
        return sides[0], sides[1], sides[2]


def _grown(box: Box, voxels: int, shape: tuple[int, ...]) -> Box:
    z, y, x = (
        slice(max(0, side.start - voxels), min(n, side.stop + voxels)) for side, n in zip(box, shape, strict=True)
    )
    return z, y, x


def _ends(box: Box) -> tuple[tuple[int, ...], tuple[int, ...]]:
    return tuple(side.start for side in box), tuple(side.stop for side in box)
