"""A region: what a feature family sees of one candidate.

It knows its own voxels and those around them, not where in the image they were cut out: no feature can learn its place
in the crop. What else may be known is given to families that ask for it alone (:mod:`tasks.extract.surroundings`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypeVar, cast

import numpy as np
import numpy.typing as npt

from storage.errors import CaseError
from storage.volume import Triple
from tasks.extract.discretize import Discretization, Levels, discretize
from tasks.extract.surroundings import Surroundings
from tasks.imaging.morphology import BoolArray, Box, mask_box

Made = TypeVar("Made")
LEVELS = Discretization()
RESPONSE = "response"
"""Unit of a filter's response map."""


@dataclass(frozen=True, eq=False)
class Region:
    """One candidate, cut out.

    Attributes
    ----------
    image
        Intensities of the candidate's box and a margin, ``(z, y, x)``. The margin ends where the image ends.
    mask
        The morphological mask: boolean, same shape.
    spacing_mm
        Voxel spacing ``(z, y, x)`` in mm.
    unit
        Unit of the intensities, e.g. ``"HU"``.
    intensity_mask
        Where intensities count, within the mask (see :mod:`tasks.extract.resegment`); ``None``: all of the mask.
    discretization
        How intensities become levels.
    limits
        Lower and upper limit of the intensities that count; ``None``: there is none.
    surroundings
        Where it lies in the patient; ``None``: not known, or not asked for.
    """

    image: npt.NDArray[Any]
    mask: BoolArray
    spacing_mm: Triple
    unit: str
    intensity_mask: BoolArray | None = None
    discretization: Discretization = LEVELS
    limits: tuple[float | None, float | None] = (None, None)
    surroundings: Surroundings | None = None
    _made: dict[str, Any] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        """Refuse what no family can describe."""
        if self.image.shape != self.mask.shape or self.image.ndim != 3:
            raise ValueError(f"expected image and mask of one 3-D shape; got {self.image.shape} and {self.mask.shape}")
        if self.intensity_mask is not None and self.intensity_mask.shape != self.mask.shape:
            raise ValueError(f"expected an intensity mask of {self.mask.shape}; got {self.intensity_mask.shape}")
        if not np.isfinite(self.values).all():
            raise CaseError("a region holds intensities that are not finite numbers")

    @property
    def counted(self) -> BoolArray:
        """Where intensities count: the intensity mask."""
        return self.mask if self.intensity_mask is None else self.intensity_mask

    @cached_property
    def values(self) -> npt.NDArray[np.float64]:
        """Intensities that count, in scan order."""
        return np.asarray(self.image[self.counted], dtype=np.float64)

    @property
    def voxel_mm3(self) -> float:
        """Volume of one voxel in mm³."""
        return float(np.prod(self.spacing_mm))

    @cached_property
    def core(self) -> Region:
        """The region without surroundings: image and masks end at the box of the mask, which must not be empty."""
        box = mask_box(self.mask)
        if all(side == slice(0, n) for side, n in zip(box, self.mask.shape, strict=True)):
            return self
        inside = None if self.intensity_mask is None else self.intensity_mask[box]
        return replace(self, image=self.image[box], mask=self.mask[box], intensity_mask=inside, _made={})

    @cached_property
    def levels(self) -> Levels:
        """The levels of the region's :attr:`core`."""
        if self.core is not self:
            return self.core.levels
        return discretize(self.image, self.counted, self.discretization)

    def once(self, name: str, make: Callable[[Region], Made]) -> Made:
        """What several families need of a region: made when it is first asked for, and kept."""
        if name not in self._made:
            self._made[name] = make(self)
        return cast("Made", self._made[name])


def widened(box: Box, margin_mm: Triple, shape: tuple[int, ...], spacing_mm: Triple) -> Box:
    """A box with at least so many mm more on both sides along ``(z, y, x)``; less where an image of this shape ends."""
    steps = [int(np.ceil(m / s - 1e-9)) for m, s in zip(margin_mm, spacing_mm, strict=True)]
    z, y, x = (
        slice(max(0, side.start - step), min(n, side.stop + step))
        for side, step, n in zip(box, steps, shape, strict=True)
    )
    return z, y, x
