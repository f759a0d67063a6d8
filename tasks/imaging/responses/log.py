"""The Laplacian of a Gaussian (L6PA), after the IBSI manual on filters (arXiv:2006.05470): blobs of a size."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from storage.volume import FloatArray, Triple
from tasks.imaging.filtering.filter import Filter
from tasks.imaging.filtering.gaussian import laplacian_of_gaussian, sigmas


class Settings(Filter):
    """The kernel is cut off at four standard deviations. A bright blob has a negative response."""

    name: Literal["log"] = "log"
    sigma_mm: float = Field(3.0, gt=0, description="Standard deviation of the Gaussian in mm (41LN).")

    @property
    def label(self) -> str:
        """``log_3mm``."""
        return self.labelled(f"{self.sigma_mm:g}mm")

    def filtered(self, image: FloatArray, spacing_mm: Triple) -> FloatArray:
        """The Laplacian by voxels, so that responses to different spacings differ in scale."""
        sigma = sigmas(self.sigma_mm, spacing_mm[1:] if self.slice_wise else spacing_mm)
        return laplacian_of_gaussian(image, sigma, self.boundary)
