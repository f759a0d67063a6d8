"""The mean of a cube of voxels (S60F), after the IBSI manual on filters (arXiv:2006.05470)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from storage.volume import FloatArray, Triple
from tasks.imaging.filtering.box_mean import box_mean
from tasks.imaging.filtering.filter import Filter


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
        return self.labelled(self.size)

    def filtered(self, image: FloatArray, spacing_mm: Triple) -> FloatArray:
        """Means, of voxels whatever their spacing."""
        del spacing_mm
        return box_mean(image, self.size, self.boundary, slice_wise=self.slice_wise)
