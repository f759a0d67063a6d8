"""Laws' kernels (JTXT) and their texture energy (PQSD), after the IBSI manual on filters (arXiv:2006.05470).

References
----------
Laws 1980, Textured image segmentation, University of Southern California
"""

from __future__ import annotations

import math
import re
from typing import Literal, Self

import numpy as np
from pydantic import Field, model_validator

from storage.volume import FloatArray, Triple
from tasks.imaging.filtering.box_mean import box_mean
from tasks.imaging.filtering.filter import Filter
from tasks.imaging.filtering.pooling import Pooling
from tasks.imaging.filtering.rotations import respond
from tasks.imaging.filtering.separable import Kernel

WHOLE = {
    "L3": (1, 2, 1),
    "L5": (1, 4, 6, 4, 1),
    "E3": (-1, 0, 1),
    "E5": (-1, -2, 0, 2, 1),
    "S3": (-1, 2, -1),
    "S5": (-1, 0, 2, 0, -1),
    "W5": (-1, 2, 0, -2, 1),
    "R5": (1, -4, 6, -4, 1),
}
"""Level, edge, spot, wave and ripple; the standard divides each by the root of its sum of squares."""


class Settings(Filter):
    """A kernel along each axis.

    Attributes
    ----------
    kernel
        Names of the kernels along x, y and z, or along x and y slice by slice: ``"L5E5E5"``.
    pooling
        Over the kernel's right-angle rotations (O1AQ).
    delta
        For the energy, the mean size of the responses up to so many voxels away along each axis (I176); ``None``: the
        responses themselves.
    """

    name: Literal["laws"] = "laws"
    kernel: str = "L5E5E5"
    pooling: Pooling = "max"
    delta: int | None = Field(None, ge=0)

    @model_validator(mode="after")
    def _kernel_an_axis(self) -> Self:
        names = self._names()
        if unknown := [name for name in names if name not in WHOLE]:
            raise ValueError(f"no kernel {', '.join(unknown)}; choose from: {', '.join(WHOLE)}")
        if len(names) != (axes := 2 if self.slice_wise else 3):
            raise ValueError(f"expected {axes} kernels, one an axis; got {self.kernel!r}")
        return self

    @property
    def label(self) -> str:
        """``laws_L5E5E5_max_energy_7``."""
        energy = () if self.delta is None else ("energy", self.delta)
        return self.labelled(self.kernel, self.pooling, *energy)

    def filtered(self, image: FloatArray, spacing_mm: Triple) -> FloatArray:
        """Responses or their energy, of voxels whatever their spacing."""
        del spacing_mm
        kernels = tuple(_normalized(name) for name in reversed(self._names()))
        response = respond(image, (kernels,), self.boundary, self.pooling)
        if self.delta is None:
            return response
        return box_mean(np.abs(response), 2 * self.delta + 1, self.boundary, slice_wise=self.slice_wise)

    def _names(self) -> list[str]:
        return re.findall("..?", self.kernel)


def _normalized(name: str) -> Kernel:
    root = math.hypot(*WHOLE[name])
    return tuple(weight / root for weight in WHOLE[name])
