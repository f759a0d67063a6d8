"""The median of a box of voxels.

It takes away single wrong voxels and speckle, and leaves edges where they are (Huang, Yang and Tang,
doi:10.1109/TASSP.1979.1163188). Thin things go too: a vessel must fill half the box to stay.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
from pydantic import AfterValidator, Field

from tasks.imaging.denoise.mean import odd, sides
from tasks.imaging.step import Array, Index, Spacing, Step, View, per_channel

Side = Annotated[int, Field(ge=1, le=31), AfterValidator(odd)]


def median(array: Array, *, spacing_mm: Spacing, size: int | Index = 3) -> Array:
    """The median around each voxel; the border is mirrored (``d c b a | a b c d``).

    Parameters
    ----------
    array
        ``(y, x)`` or ``(z, y, x)``, perhaps with colour last: then of each channel.
    spacing_mm
        Along the spatial axes; says how many there are.
    size
        Voxels of the box, odd: along every axis, along ``(z, y, x)``, or ``(y, x)`` within slices.

    Returns
    -------
    numpy.ndarray
        Values and type of the image.
    """
    from tasks.imaging.kernels.median import median_of_9, median_of_27, median_of_box

    box = (1, *sides(size, len(spacing_mm)))[-3:]
    fast = median_of_27 if box == (3, 3, 3) else median_of_9 if box == (1, 3, 3) else None
    return per_channel(lambda grey: fast(grey) if fast else median_of_box(grey, box), array, len(spacing_mm))


class Settings(Step):
    """The median of ``size`` voxels: along every axis, along ``[z, y, x]``, or ``[y, x]`` within slices.

    Where slices are much thicker than pixels are wide, it should stay within them.
    """

    name: Literal["median"] = "median"
    size: Side | tuple[Side, Side] | tuple[Side, Side, Side] = Field(default=3, description="Voxels of the box, odd.")

    def halo(self, spacing_mm: Spacing) -> Index:
        """Half the box."""
        return tuple(n // 2 for n in sides(self.size, len(spacing_mm)))

    def apply(self, block: Array, view: View) -> Array:
        """The block's medians."""
        return median(block, spacing_mm=view.spacing_mm, size=self.size)

    def dtype_after(self, dtype: np.dtype[Any]) -> np.dtype[Any]:
        """The image's own."""
        return dtype
