"""Frangi's vesselness: from 0 to 1, how much a place is part of a line.

Three questions are asked of the curvatures at several scales, and the answers multiplied: is it a line rather than a
plate, a line rather than a blob, and is there any structure at all (Frangi et al., doi:10.1007/BFb0056195). For the
last the paper takes half of the largest curvature in the image; here it is a share of the image's range, which one
bright bone or clip does not move, and which blocks know as the whole does. In colour, lines of the luminance.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from tasks.imaging.luminance import by_luminance, luminances
from tasks.imaging.order_statistics import quantiles
from tasks.imaging.ridges import Ridges, Scales, halo, strongest
from tasks.imaging.step import Array, Blocks, Facts, Index, Spacing, Step, View, floating

STRUCTURE = 0.05
"""Share of that range: a line a fifth as high as the range has, at its own scale, a curvature of about 0.07 of it."""


def frangi(
    array: Array,
    *,
    spacing_mm: Spacing,
    scales_mm: Scales,
    ridges: Ridges,
    structure: float,
    plate: float = 0.5,
    blob: float = 0.5,
) -> Array:
    """Vesselness, the largest of all scales; the border is mirrored.

    Parameters
    ----------
    array
        ``(y, x)`` or ``(z, y, x)``. In colour (last), lines of the luminance, in every channel.
    spacing_mm
        Along the spatial axes, in mm.
    scales_mm
        Standard deviations of the Gaussians; about the lines' radii.
    ridges
        Whether lines are brighter or darker than what surrounds them.
    structure
        Length of the curvatures, times ``sigma²``, in the image's unit, above which there is structure; the paper's c.
        Of 0 the image has none.
    plate, blob
        The paper's alpha and beta.

    Returns
    -------
    numpy.ndarray
        float32, or float64 of float64.
    """
    from tasks.imaging.kernels.hessian import add_frangi

    def add(parts: Array, sign: float, out: Array, start: int, stop: int) -> None:
        add_frangi(parts, sign, plate, blob, structure, out, start, stop)

    def of_grey(grey: Array) -> Array:
        if structure <= 0:
            return np.zeros_like(floating(grey))
        return strongest(grey, spacing_mm=spacing_mm, scales_mm=scales_mm, ridges=ridges, add=add)

    return by_luminance(of_grey, array, len(spacing_mm))


class Settings(Step):
    """Frangi's vesselness; without ``structure``, of 5 % of the range between the image's 1 % and 99 % quantiles."""

    name: Literal["frangi"] = "frangi"
    scales_mm: Scales = Field(default=(1.0, 2.0, 3.0), description="Standard deviations; about the lines' radii.")
    ridges: Ridges = Field(default="bright", description="Lines brighter or darker than what surrounds them.")
    structure: float | None = Field(default=None, gt=0, description="The paper's c, in the image's unit.")
    plate: float = Field(default=0.5, gt=0, le=10, description="The paper's alpha.")
    blob: float = Field(default=0.5, gt=0, le=10, description="The paper's beta.")

    def halo(self, spacing_mm: Spacing) -> Index:
        """Where the widest kernel ends."""
        return halo(self.scales_mm, spacing_mm)

    def measure(self, blocks: Blocks, view: View) -> Facts:
        """What counts as structure."""
        if self.structure is not None:
            return {"structure": self.structure}
        low, high = quantiles(luminances(blocks, view), (0.01, 0.99))
        return {"structure": STRUCTURE * (high - low)}

    def apply(self, block: Array, view: View) -> Array:
        """The block's lines."""
        options = self.model_dump(exclude={"name", "structure"})
        return frangi(block, spacing_mm=view.spacing_mm, structure=view.measured["structure"], **options)

    def unit_after(self, unit: str) -> str:
        """From 0 to 1."""
        del unit
        return "share"
