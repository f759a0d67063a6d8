"""The Simoncelli wavelet (PRT7), after the IBSI manual on filters (arXiv:2006.05470): details of a size."""

from __future__ import annotations

from functools import partial
from typing import Literal

from pydantic import Field

from storage.volume import FloatArray, Triple
from tasks.imaging.filtering.filter import Filter
from tasks.imaging.filtering.spectral import multiplied, slice_by_slice
from tasks.imaging.filtering.transfers import simoncelli


class Settings(Filter):
    """Non-separable, and the same in all directions of the voxel grid."""

    name: Literal["simoncelli"] = "simoncelli"
    level: int = Field(1, ge=1, le=6, description="Of the decomposition (GCEK), from 1: the finest.")

    @property
    def label(self) -> str:
        """``simoncelli_1``."""
        return self.labelled(self.level)

    @property
    def least_voxels(self) -> int:
        """A period of the level's highest frequency, and one more."""
        return (1 << self.level) + 1

    def filtered(self, image: FloatArray, spacing_mm: Triple) -> FloatArray:
        """The band-pass, of voxels whatever their spacing."""
        del spacing_mm
        multiply = slice_by_slice if self.slice_wise else multiplied
        return multiply(image, partial(simoncelli, level=self.level), reach(self.level), self.boundary)


def reach(level: int) -> int:
    """Voxels beyond which what lies outside of an image changes a response by less than 1 % of the range."""
    return 8 << level
