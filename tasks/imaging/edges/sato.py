"""Sato's line measure: how much an image curves across a line, in its own unit.

The geometric mean of the curvatures across a line, 0 where one of them has the wrong sign; times ``sigma²``, the
strongest of several scales (Sato et al., doi:10.1016/S1361-8415(98)80009-1, as in scikit-image). It grows with the
contrast of a line, as opposed to Frangi's, which says how much it is one. In colour, lines of the luminance.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tasks.imaging.luminance import by_luminance
from tasks.imaging.ridges import Ridges, Scales, halo, strongest
from tasks.imaging.step import Array, Index, Spacing, Step, View


def sato(array: Array, *, spacing_mm: Spacing, scales_mm: Scales, ridges: Ridges) -> Array:
    """How much the image curves across lines; the border is mirrored.

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

    Returns
    -------
    numpy.ndarray
        float32, or float64 of float64; in the image's unit, at least 0.
    """
    from tasks.imaging.kernels.hessian import add_sato

    return by_luminance(
        lambda grey: strongest(grey, spacing_mm=spacing_mm, scales_mm=scales_mm, ridges=ridges, add=add_sato),
        array,
        len(spacing_mm),
    )


class Settings(Step):
    """Sato's line measure."""

    name: Literal["sato"] = "sato"
    scales_mm: Scales = Field(default=(1.0, 2.0, 3.0), description="Standard deviations; about the lines' radii.")
    ridges: Ridges = Field(default="bright", description="Lines brighter or darker than what surrounds them.")

    def halo(self, spacing_mm: Spacing) -> Index:
        """Where the widest kernel ends."""
        return halo(self.scales_mm, spacing_mm)

    def apply(self, block: Array, view: View) -> Array:
        """The block's lines."""
        return sato(block, spacing_mm=view.spacing_mm, scales_mm=self.scales_mm, ridges=self.ridges)

    def unit_after(self, unit: str) -> str:
        """No longer a measurement of tissue."""
        del unit
        return "arbitrary"
