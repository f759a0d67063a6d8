"""The mean of a cube of voxels (S60F): section 3.2 of the IBSI manual on filters (arXiv:2006.05470)."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field, field_validator
from scipy import ndimage

from storage.volume import FloatArray, Triple
from tasks.imaging.response import Boundary, Filter

MODES: dict[Boundary, str] = {"zero": "constant", "nearest": "nearest", "periodic": "wrap", "mirror": "reflect"}
"""The boundaries by their names in SciPy."""


class Settings(Filter):
    """The mean of ``size`` voxels along each axis, or along y and x."""

    name: Literal["mean"] = "mean"
    size: int = Field(5, ge=1, description="Voxels along each axis (YNOF), odd.")

    @field_validator("size")
    @classmethod
    def _odd(cls, size: int) -> int:
        if size % 2 == 0:
            raise ValueError(f"expected an odd number of voxels, so that there is a middle; got {size}")
        return size

    @property
    def label(self) -> str:
        """``mean_5``."""
        return f"mean_{self.size}" + ("_2d" if self.slice_wise else "")

    def respond(self, image: FloatArray, spacing_mm: Triple) -> FloatArray:
        """Means, of voxels whatever their spacing."""
        del spacing_mm
        size = (1 if self.slice_wise else self.size, self.size, self.size)
        return np.asarray(ndimage.uniform_filter(image, size, mode=MODES[self.boundary]))
