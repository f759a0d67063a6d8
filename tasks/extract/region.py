"""A region: what a feature family sees of one candidate.

It knows its own voxels and their surroundings, not where in the image they were cut out: no feature can learn its place
in the crop.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from storage.volume import Triple, Volume
from tasks.imaging.morphology import BoolArray, Box


@dataclass(frozen=True, eq=False)
class Region:
    """One candidate, cut out.

    Attributes
    ----------
    image
        Intensities of the candidate's box and a margin, ``(z, y, x)``. The margin ends where the image ends.
    mask
        Boolean, same shape, at least one voxel.
    spacing_mm
        Voxel spacing ``(z, y, x)`` in mm.
    unit
        Unit of the intensities, e.g. ``"HU"``.
    """

    image: npt.NDArray[Any]
    mask: BoolArray
    spacing_mm: Triple
    unit: str

    def __post_init__(self) -> None:
        """Refuse what no family can describe."""
        if self.image.shape != self.mask.shape or self.image.ndim != 3:
            raise ValueError(f"expected image and mask of one 3-D shape; got {self.image.shape} and {self.mask.shape}")
        if not self.mask.any():
            raise ValueError("the mask is empty; expected at least 1 voxel")
        if not np.isfinite(self.values).all():
            raise ValueError("expected finite intensities inside the mask")

    @cached_property
    def values(self) -> npt.NDArray[np.float64]:
        """Intensities inside the mask, in scan order."""
        return np.asarray(self.image[self.mask], dtype=np.float64)

    @property
    def voxel_mm3(self) -> float:
        """Volume of one voxel in mm³."""
        return float(np.prod(self.spacing_mm))


def cut_region(image: Volume, box: Box, mask: BoolArray, *, margin_mm: Triple = (0.0, 0.0, 0.0)) -> Region:
    """Cut a candidate out of its image.

    Parameters
    ----------
    image
        The whole image.
    box, mask
        The candidate's box in the image and its mask in that box.
    margin_mm
        Surroundings wanted on both sides along ``(z, y, x)``, in mm; less where the image ends.
    """
    margins = [int(np.ceil(m / s - 1e-9)) for m, s in zip(margin_mm, image.spacing_mm, strict=True)]
    before = [min(side.start, n) for side, n in zip(box, margins, strict=True)]
    after = [min(size - side.stop, n) for side, size, n in zip(box, image.shape, margins, strict=True)]
    outer = tuple(slice(s.start - b, s.stop + a) for s, b, a in zip(box, before, after, strict=True))
    wide = np.pad(mask, list(zip(before, after, strict=True)))
    return Region(np.asarray(image.array[outer]), wide, image.spacing_mm, image.unit)
