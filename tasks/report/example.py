"""An image to demonstrate operations on: what kind it is, and pieces of it that are quick to work on.

Words: the *detail* is cut out of the middle at full resolution, for operations that look at grain and edges. The
*overview* is the whole image averaged down, for operations that move or cut it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from tasks.imaging.step import Direction

ExampleKind = Literal["CT", "PET", "MR", "ultrasound", "retina", "tissue", "picture"]
EXAMPLE_KINDS: tuple[ExampleKind, ...] = ("CT", "PET", "MR", "ultrasound", "retina", "tissue", "picture")

DETAIL_VOXELS = (12, 288, 288)
OVERVIEW_VOXELS = (48, 260, 260)
PICTURE_PIXELS = 400


@dataclass(frozen=True, eq=False)
class Example:
    """An image without a name.

    Attributes
    ----------
    kind
        Of what it is.
    number
        Counted from 1 among those of its kind: all that the page says of where it comes from.
    array
        ``(z, y, x)``, or ``(y, x)``, or ``(y, x, 3)`` in colour.
    spacing_mm
        Along the spatial axes, in mm; 1 of pictures, which do not say.
    unit
        Of the intensities.
    direction
        Of a volume as in :class:`storage.volume.Volume`; ``None`` for pictures.
    lesion
        Boolean, shape of the array: what readers contoured in it; ``None``: not known. Pieces do not carry it.
    """

    kind: ExampleKind
    number: int
    array: npt.NDArray[Any]
    spacing_mm: tuple[float, ...]
    unit: str = "arbitrary"
    direction: Direction | None = None
    lesion: npt.NDArray[np.bool_] | None = None

    @property
    def title(self) -> str:
        """As the page calls it: ``CT example 1``."""
        return f"{self.kind[0].upper()}{self.kind[1:]} example {self.number}"

    @property
    def has_scale(self) -> bool:
        """Whether its spacing is known: that of a picture is not."""
        return self.kind in ("CT", "PET", "MR")

    def detail(self) -> Example:
        """The middle at full resolution; a picture is averaged down to ``PICTURE_PIXELS``."""
        if len(self.spacing_mm) == 2:
            return self.overview()
        start = [max(0, (n - most) // 2) for n, most in zip(self.array.shape, DETAIL_VOXELS, strict=True)]
        box = tuple(slice(at, at + most) for at, most in zip(start, DETAIL_VOXELS, strict=True))
        return replace(self, array=np.ascontiguousarray(self.array[box]), lesion=None)

    def overview(self) -> Example:
        """The whole, averaged down by whole numbers."""
        most = OVERVIEW_VOXELS if len(self.spacing_mm) == 3 else (PICTURE_PIXELS,) * 2
        factors = tuple(max(1, -(-n // limit)) for n, limit in zip(self.array.shape, most, strict=False))
        spacing = tuple(s * f if self.has_scale else s for s, f in zip(self.spacing_mm, factors, strict=True))
        return replace(self, array=averaged(self.array, factors), spacing_mm=spacing, lesion=None)

    def halves(self) -> list[Example]:
        """Every other slice or row, and the rest: two images that are alike, for steps that learn from others."""
        return [replace(self, array=self.array[first::2], lesion=None) for first in (0, 1)]


def averaged(array: npt.NDArray[Any], factors: tuple[int, ...]) -> npt.NDArray[Any]:
    """Means of blocks of ``factors`` voxels along the first axes, in the type of the array; what is left over goes."""
    if all(factor == 1 for factor in factors):
        return array
    kept = array[tuple(slice(n // f * f) for n, f in zip(array.shape, factors, strict=False))]
    blocks = [length for n, f in zip(kept.shape, factors, strict=False) for length in (n // f, f)]
    rest = kept.shape[len(factors) :]
    means = kept.reshape(*blocks, *rest).mean(axis=tuple(range(1, 2 * len(factors), 2)), dtype=np.float64)
    return np.asarray(np.rint(means) if array.dtype.kind in "iu" else means, dtype=array.dtype)
