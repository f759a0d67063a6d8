"""Uneven light flattened: each place divided by the brightness of its wide surroundings, within the field of view.

Retina cameras light the middle, ultrasound fades with depth. The surroundings' brightness is a wide Gaussian's mean
over the *field*, the pixels that are not black, so that the black around it darkens nothing (normalized convolution,
doi:10.1109/CVPR.1993.341081). What is as large as the Gaussian is flattened too, lesions as well.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from tasks.imaging import gaussian_weights
from tasks.imaging.denoise.gaussian import gaussian
from tasks.imaging.hue_kept import on_luminance, white_in
from tasks.imaging.luminance import luminances
from tasks.imaging.order_statistics import above, moments, quantiles
from tasks.imaging.step import SHOWN, Array, Blocks, Facts, Index, Spacing, Step, View, floating

FAINT = 1e-3
"""Share of the Gaussian that must lie in the field for the surroundings to be known."""


def flatten(
    grey: Array,
    *,
    spacing_mm: Spacing,
    sigma_mm: float,
    black: float,
    field_above: float,
    mean: float,
    by: Literal["divide", "subtract"] = "divide",
) -> Array:
    """Bring the surroundings of every place to the same brightness.

    Parameters
    ----------
    grey
        ``(y, x)`` or ``(z, y, x)``.
    sigma_mm
        Standard deviation of the Gaussian in mm.
    black
        Value of no light: brightness is counted from it.
    field_above
        Pixels above it are the field; the others stay as they are.
    mean
        What the surroundings become.
    by
        ``divide`` for light, which multiplies; ``subtract`` for what adds.
    """
    values = floating(grey)
    field = (values > field_above).astype(values.dtype)
    share = gaussian(field, spacing_mm=spacing_mm, sigma_mm=sigma_mm)
    known = (field > 0) & (share > FAINT)
    around = gaussian((values - black) * field, spacing_mm=spacing_mm, sigma_mm=sigma_mm) / np.where(known, share, 1)
    if by == "subtract":
        flat = values - around + (mean - black)
    else:
        flat = black + (values - black) * (mean - black) / np.where(known, around, 1)
    return np.asarray(np.where(known, flat, values), dtype=values.dtype)


class Settings(Step):
    """Light flattened; in a coloured picture in its luminance.

    Attributes
    ----------
    sigma_mm
        Wider than what is looked for. Pictures without a scale count a pixel as 1 mm.
    field_share
        The field is what is above this share of the range (minimum to 99th percentile).
    by
        As in :func:`flatten`.
    """

    name: Literal["flatten"] = "flatten"
    sigma_mm: float = Field(default=40.0, gt=0, le=1000)
    field_share: float = Field(default=0.05, ge=0, lt=1)
    by: Literal["divide", "subtract"] = "divide"

    def halo(self, spacing_mm: Spacing) -> Index:
        """Where the Gaussian ends."""
        return gaussian_weights.halo(self.sigma_mm, spacing_mm)

    def measure(self, blocks: Blocks, view: View) -> Facts:
        """Black, where the field begins, and the mean in it."""
        grey = luminances(blocks, view)
        black, bright = quantiles(grey, (0.0, 0.99))
        begins = black + self.field_share * (bright - black)
        field = moments(above(grey, begins))
        return {
            "black": black,
            "field_above": begins,
            "mean": field.mean if field.count else black,
            "white": white_in(blocks, view),
        }

    def unit_after(self, unit: str) -> str:
        """Grey values stay such; a physical scale is lost."""
        return unit if unit in SHOWN else "arbitrary"

    def apply(self, block: Array, view: View) -> Array:
        """Flatten the block."""
        black, begins, mean = (view.measured[name] for name in ("black", "field_above", "mean"))
        return on_luminance(
            block,
            len(view.shape),
            lambda grey: flatten(
                grey,
                spacing_mm=view.spacing_mm,
                sigma_mm=self.sigma_mm,
                black=black,
                field_above=begins,
                mean=mean,
                by=self.by,
            ),
            white=view.measured["white"],
        )
