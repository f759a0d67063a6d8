"""Values that metal spoilt in CT, limited. This is no reduction of metal artefacts.

Implants saturate the scale, and next to them the beam is starved: values darker than air. Both pull at every statistic.
Here the bright ones are cut to ``limit``, and near them the impossibly dark ones are raised to ``floor``. What the
streaks hide stays hidden, and moderately wrong values (a streak of −400 HU in muscle) stay wrong: true reduction needs
the projections, or at least a reconstruction (a review: doi:10.1109/ACCESS.2016.2608621). Findings next to metal need a
look by eye.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from pydantic import Field

from tasks.imaging.order_statistics import moments
from tasks.imaging.step import Array, Blocks, Facts, Index, Kind, Spacing, Step, View

ROUNDING_MM = 1e-4
LEAST_SATURATED = 2000.0
"""HU below which the largest value is no saturation, however many voxels have it."""
PLATEAU_VOXELS = 8


def limit_metal(
    array: Array, *, spacing_mm: Spacing, limit: float = 3000.0, floor: float = -1000.0, reach_mm: float = 20.0
) -> Array:
    """Cut metal to a limit, and raise what is darker than a floor near it.

    Parameters
    ----------
    array
        ``(y, x)`` or ``(z, y, x)`` in HU.
    limit
        Everything from here on is metal.
    floor
        Nothing within ``reach_mm`` of metal stays below.
    reach_mm
        In mm.

    Returns
    -------
    numpy.ndarray
        Of the same type.
    """
    from scipy import ndimage

    metal = array >= limit
    if not metal.any():
        return array.copy()
    near = ndimage.distance_transform_edt(~metal, sampling=spacing_mm) <= reach_mm + ROUNDING_MM
    result = np.where(metal, np.asarray(limit, dtype=array.dtype), array)
    dark = near & (result < floor)
    result[dark] = max(floor, np.iinfo(array.dtype).min) if array.dtype.kind in "iu" else floor
    return result


class Settings(Step):
    """Metal cut to ``limit_hu``, and values darker than ``floor_hu`` near it raised.

    Attributes
    ----------
    limit_hu
        Above the densest bone (enamel reaches 3000 HU).
    floor_hu
        Air; what is darker is no tissue.
    reach_mm
        How far from metal dark values are raised.
    """

    name: Literal["metal"] = "metal"
    kinds = frozenset[Kind]({"2-D", "3-D"})
    limit_hu: int = Field(default=3000, ge=1000, le=30000)
    floor_hu: int = Field(default=-1000, ge=-1024, le=0)
    reach_mm: float = Field(default=20.0, ge=0, le=100)

    def halo(self, spacing_mm: Spacing) -> Index:
        """The reach from metal."""
        return tuple(int(self.reach_mm / s) + 1 for s in spacing_mm)

    def measure(self, blocks: Blocks, view: View) -> Facts:
        """Where metal begins: at the limit, or below it where the scale itself ends in a plateau."""
        del view
        highest = moments(blocks).maximum
        saturated = sum(int((block == highest).sum()) for _, block in blocks()) >= PLATEAU_VOXELS
        ends_below = LEAST_SATURATED <= highest < self.limit_hu and saturated
        return {"limit": highest if ends_below else float(self.limit_hu)}

    def apply(self, block: Array, view: View) -> Array:
        """Limit the block."""
        limit, floor = view.measured["limit"], float(self.floor_hu)
        return limit_metal(block, spacing_mm=view.spacing_mm, limit=limit, floor=floor, reach_mm=self.reach_mm)

    def dtype_after(self, dtype: np.dtype[Any]) -> np.dtype[Any]:
        """The same: values are cut only."""
        return dtype
