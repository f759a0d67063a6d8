"""Where a region lies in the patient, and what lies beside it: for the families that ask for it, and no others.

A :class:`~tasks.extract.region.Region` does not know its place, so that no feature can learn how an image was cropped.
Two families need more, and only if one of them is chosen is a region given *surroundings*: its place within an organ
and beside the midline, which are the patient's and not the crop's, and the other candidates relative to it.

Everything is measured on the image's own grid, before regions are interpolated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from storage.volume import FloatArray, Triple, Volume
from tasks.imaging.midline import Plane, midline, towards_left
from tasks.imaging.morphology import BoolArray, Box, distance_mm, mask_box

SYMMETRIC = 0.85
"""A mask that overlaps its mirror image by less has no midline."""


@dataclass(frozen=True, eq=False)
class OrganPlace:
    """A region in an organ.

    Attributes
    ----------
    depths_mm
        Of the region's voxels below the organ's surface, in scan order; negative outside of the organ.
    deepest_mm
        Of all places in the organ.
    position
        The region's centre in the organ's box along ``(z, y, x)``: 0 at its first face, 1 at its last.
    """

    depths_mm: FloatArray
    deepest_mm: float
    position: Triple


@dataclass(frozen=True)
class Neighbour:
    """Another candidate: from the region's centre to its own ``(z, y, x)`` in mm, and how large it is."""

    offset_mm: Triple
    volume_mm3: float


@dataclass(frozen=True, eq=False)
class Surroundings:
    """What is known about a region's surroundings.

    Attributes
    ----------
    organ
        ``None``: no organ is given, or its surface is not in the image.
    left_of_midline_mm
        The centre's distance from the midline of the body, positive on the patient's left; ``None``: no body is given,
        or it is not symmetric.
    neighbours
        Candidates that do not overlap the region, nor each other.
    """

    organ: OrganPlace | None
    left_of_midline_mm: float | None
    neighbours: tuple[Neighbour, ...]


@dataclass(frozen=True, eq=False)
class Scene:
    """An image, its anatomy and all candidates: what surroundings are made of.

    Attributes
    ----------
    image
        Of which the geometry alone is looked at.
    candidates
        Box and mask of each.
    organ, body
        Masks of the image's shape; ``None``: not known.
    """

    image: Volume
    candidates: Sequence[tuple[Box, BoolArray]]
    organ: BoolArray | None = None
    body: BoolArray | None = None

    def around(self, box: Box, mask: BoolArray) -> Surroundings | None:
        """Surroundings of a region, given its box in the image and its mask there; ``None`` of an empty mask."""
        if not mask.any():
            return None
        centre = _centre_mm(box, mask, self.image.spacing_mm)
        plane = self._midline
        left = None if plane is None else float(plane.distance_mm(centre))
        return Surroundings(self._organ_place(box, mask, centre), left, self._neighbours(box, mask, centre))

    def _organ_place(self, box: Box, mask: BoolArray, centre: FloatArray) -> OrganPlace | None:
        if self._organ is None:
            return None
        outer, depth_mm, deepest_mm = self._organ
        sides = zip(outer, centre, self.image.spacing_mm, strict=True)
        z, y, x = (float((at / s - side.start + 0.5) / (side.stop - side.start)) for side, at, s in sides)
        return OrganPlace(np.asarray(depth_mm[box][mask], dtype=np.float64), deepest_mm, (z, y, x))

    @cached_property
    def _organ(self) -> tuple[Box, npt.NDArray[np.float32], float] | None:
        """The organ's box, the depth of each voxel of the image, and the largest depth.

        Depth is the distance of a voxel inside to the nearest one outside, and less than 0 outside.
        """
        if self.organ is None or not self.organ.any() or self.organ.all():
            return None
        spacing = self.image.spacing_mm
        depth_mm = distance_mm(~self.organ, spacing) - distance_mm(self.organ, spacing)
        return mask_box(self.organ), depth_mm, float(depth_mm.max())

    @cached_property
    def _midline(self) -> Plane | None:
        if self.body is None or not self.body.any():
            return None
        found = midline(self.body, spacing_mm=self.image.spacing_mm, across=towards_left(self.image))
        return found if found.symmetry >= SYMMETRIC else None

    def _neighbours(self, box: Box, mask: BoolArray, centre: FloatArray) -> tuple[Neighbour, ...]:
        """One candidate per place, the largest first: thresholds and scales find the same lesion many times."""
        out, found = self._overlapping((box, mask)), []
        for number, (at, volume) in enumerate(self._measures):
            if not out[number]:
                out |= self._overlaps[number]
                z, y, x = (float(part) for part in at - centre)
                found.append(Neighbour((z, y, x), volume))
        return tuple(found)

    def _overlapping(self, one: tuple[Box, BoolArray]) -> BoolArray:
        """Which candidates, the largest first, have a voxel in common with a mask."""
        own = np.array([(side.start, side.stop) for side in one[0]])
        near = np.all((self._sides[..., 0] < own[:, 1]) & (own[:, 0] < self._sides[..., 1]), axis=1)
        return np.array([meet and overlap(one, self._largest_first[i]) for i, meet in enumerate(near)], dtype=bool)

    @cached_property
    def _overlaps(self) -> list[BoolArray]:
        return [self._overlapping(one) for one in self._largest_first]

    @cached_property
    def _sides(self) -> npt.NDArray[np.intp]:
        """Where the candidates' boxes start and stop along each axis, ``(candidates, 3, 2)``."""
        found = [[(side.start, side.stop) for side in box] for box, _ in self._largest_first]
        return np.array(found, dtype=np.intp).reshape(-1, 3, 2)

    @cached_property
    def _measures(self) -> list[tuple[FloatArray, float]]:
        """Centre in mm and volume in mm³ of each candidate."""
        spacing, voxel = self.image.spacing_mm, float(np.prod(self.image.spacing_mm))
        return [(_centre_mm(box, mask, spacing), voxel * np.count_nonzero(mask)) for box, mask in self._largest_first]

    @cached_property
    def _largest_first(self) -> list[tuple[Box, BoolArray]]:
        some = [candidate for candidate in self.candidates if candidate[1].any()]
        return sorted(some, key=lambda candidate: -np.count_nonzero(candidate[1]))


def overlap(one: tuple[Box, BoolArray], other: tuple[Box, BoolArray]) -> bool:
    """Whether two masks, each in its box of one image, have a voxel in common."""
    common = [slice(max(a.start, b.start), min(a.stop, b.stop)) for a, b in zip(one[0], other[0], strict=True)]
    if any(side.start >= side.stop for side in common):
        return False
    parts = (
        mask[tuple(slice(side.start - o.start, side.stop - o.start) for side, o in zip(common, box, strict=True))]
        for box, mask in (one, other)
    )
    return bool(np.logical_and(*parts).any())


def _centre_mm(box: Box, mask: BoolArray, spacing_mm: Triple) -> FloatArray:
    start = np.array([side.start for side in box])
    return np.asarray((np.argwhere(mask).mean(axis=0) + start) * np.asarray(spacing_mm))
