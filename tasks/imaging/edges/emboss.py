"""Emboss: the image as a relief lit from one side.

Intensity is taken as height. What faces the light is bright, what turns away dark, even ground is grey: small steps
that are lost in a picture of wide range are seen at once. Within slices, also of volumes.
"""

from __future__ import annotations

from math import cos, radians, sin
from typing import Literal

from pydantic import Field

from tasks.imaging import gaussian_weights
from tasks.imaging.luminance import by_luminance, luminances
from tasks.imaging.order_statistics import quantiles
from tasks.imaging.step import SHOWN, Array, Blocks, Facts, Index, Spacing, Step, View


def emboss(
    array: Array, *, spacing_mm: Spacing, ground: float, azimuth_degrees: float, sigma_mm: float, amount: float
) -> Array:
    """``ground`` less the slope towards the light; the border is mirrored.

    Parameters
    ----------
    array
        ``(y, x)`` or ``(z, y, x)``. In colour (last), the relief of the luminance, in every channel.
    spacing_mm
        Along the spatial axes, in mm.
    ground
        Grey of what is even.
    azimuth_degrees
        Where the light comes from, from the right (0) counter-clockwise: 90 is from above.
    sigma_mm
        Standard deviation of the Gaussian whose derivative is the slope. The slope is per sigma, and so in the image's
        unit.
    amount
        How steep the relief is.

    Returns
    -------
    numpy.ndarray
        float32, or float64 of float64.
    """
    from tasks.imaging.kernels.separable import UNTOUCHED, convolve

    angle = radians(azimuth_degrees)
    flat = (UNTOUCHED,) * (len(spacing_mm) - 2)
    smooth, slope = ([gaussian_weights.weights(sigma_mm / s, order=order) for s in spacing_mm[-2:]] for order in (0, 1))
    down, right = (amount * sigma_mm / s for s in spacing_mm[-2:])

    def of_grey(grey: Array) -> Array:
        relief = convolve(grey, [*flat, slope[0], smooth[1]])
        relief *= down * sin(angle)
        relief -= right * cos(angle) * convolve(grey, [*flat, smooth[0], slope[1]])
        relief += ground
        return relief

    return by_luminance(of_grey, array, len(spacing_mm))


class Settings(Step):
    """A relief; without ``ground``, on the middle between the image's 1 % and 99 % quantiles."""

    name: Literal["emboss"] = "emboss"
    azimuth_degrees: float = Field(default=135.0, ge=-360, le=360, description="Where the light comes from; 90: above.")
    sigma_mm: float = Field(default=1.0, gt=0, le=50, description="Standard deviation of the Gaussian.")
    amount: float = Field(default=1.0, gt=0, le=100, description="How steep the relief is.")
    ground: float | None = Field(default=None, description="Grey of what is even.")

    def halo(self, spacing_mm: Spacing) -> Index:
        """Where the kernels end; nothing across slices."""
        return (0,) * (len(spacing_mm) - 2) + gaussian_weights.halo(self.sigma_mm, spacing_mm[-2:], order=1)

    def measure(self, blocks: Blocks, view: View) -> Facts:
        """The ground."""
        if self.ground is not None:
            return {"ground": self.ground}
        return {"ground": sum(quantiles(luminances(blocks, view), (0.01, 0.99))) / 2}

    def apply(self, block: Array, view: View) -> Array:
        """The block's relief."""
        options = self.model_dump(exclude={"name", "ground"})
        return emboss(block, spacing_mm=view.spacing_mm, ground=view.measured["ground"], **options)

    def unit_after(self, unit: str) -> str:
        """The range stays, but what is not linear keeps no physical unit."""
        return unit if unit in SHOWN else "arbitrary"
