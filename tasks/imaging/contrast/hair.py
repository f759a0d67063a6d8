"""Hairs taken off pictures of skin, after DullRazor (Lee et al., doi:10.1016/S0010-4825(97)00020-6).

A dark hair is narrower than a line of ``width_mm``: a closing along lines in four directions fills it, and what was
filled by more than ``contrast`` may be hair. It is hair where it is long: an opening along lines of ``length_mm`` in
many directions leaves nothing of dots and of the net of pigment. Hair is replaced by the mean of the skin around it.
Where several hairs cross, a knot wider than the line stays.
Departures: the luminance is searched, not each colour; and skin is averaged on all sides, not along one line.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from tasks.imaging import gaussian_weights
from tasks.imaging.denoise.gaussian import gaussian
from tasks.imaging.luminance import luminance, luminances
from tasks.imaging.order_statistics import quantiles
from tasks.imaging.step import Array, Blocks, Facts, Index, Kind, Spacing, Step, View, floating

BoolArray = npt.NDArray[np.bool_]
ACROSS = range(0, 180, 45)
ALONG = range(0, 180, 15)
EDGE = 2
"""Pixels by which hair is blurred; they are replaced with it."""
FAINT = 1e-3
"""Share of the Gaussian that must be skin for a hair to be replaced."""


def find_hair(grey: Array, *, spacing_mm: Spacing, width_mm: float, length_mm: float, darker: float) -> BoolArray:
    """Where hair lies.

    Parameters
    ----------
    grey
        Luminance ``(y, x)``.
    spacing_mm
        Along the axes, in mm.
    width_mm, length_mm
        Hair is narrower, and straight over so much.
    darker
        Than the skin on both sides, at least.
    """
    from scipy import ndimage

    filled = np.maximum.reduce(
        [ndimage.grey_closing(grey, footprint=_line(width_mm, d, spacing_mm, grey.shape)) for d in ACROSS]
    )
    dark = filled - grey > darker
    long = np.zeros(grey.shape, dtype=bool)
    for d in ALONG:
        long |= ndimage.binary_opening(dark, _line(length_mm, d, spacing_mm, grey.shape))
    return np.asarray(ndimage.binary_dilation(long, np.ones((3, 3), dtype=bool), iterations=EDGE))


def remove_hair(rgb: Array, hair: BoolArray, *, spacing_mm: Spacing, sigma_mm: float) -> Array:
    """Replace hair by the Gaussian mean of what is none; where there is nothing else around, it stays.

    Parameters
    ----------
    rgb
        ``(y, x, 3)``.
    hair
        ``(y, x)``.
    """
    values = floating(rgb)
    skin = (~hair).astype(values.dtype)
    share = gaussian(skin, spacing_mm=spacing_mm, sigma_mm=sigma_mm)
    mean = gaussian(values * skin[..., None], spacing_mm=spacing_mm, sigma_mm=sigma_mm)
    replaced = hair & (share > FAINT)
    return np.where(replaced[..., None], mean / np.where(replaced, share, 1)[..., None], values)


def _line(length_mm: float, degrees: int, spacing_mm: Spacing, shape: Index) -> BoolArray:
    """A straight line of pixels through the middle of a small picture, no longer than the picture it is for."""
    from skimage.draw import line

    angle = np.deg2rad(degrees)
    reach = _reach(length_mm, spacing_mm)
    dy, dx = (
        round(float(np.clip(part * length_mm / 2 / s, -r, r).clip(-n, n)))
        for part, s, r, n in zip((np.sin(angle), np.cos(angle)), spacing_mm, reach, shape, strict=True)
    )
    footprint = np.zeros((2 * abs(dy) + 1, 2 * abs(dx) + 1), dtype=bool)
    footprint[line(abs(dy) - dy, abs(dx) - dx, abs(dy) + dy, abs(dx) + dx)] = True
    return footprint


def _reach(length_mm: float, spacing_mm: Spacing) -> Index:
    return tuple(int(length_mm / 2 / s + 0.5) for s in spacing_mm)


class Settings(Step):
    """Dark hairs replaced by skin. Pictures without a scale count a pixel as 1 mm.

    Attributes
    ----------
    width_mm, length_mm
        Hair is narrower, and straight over so much.
    contrast
        How much darker than the skin it is, as a share of the picture's range (1st to 99th percentile of luminance).
    """

    name: Literal["hair"] = "hair"
    kinds = frozenset[Kind]({"colour"})
    width_mm: float = Field(default=9.0, gt=0, le=100)
    length_mm: float = Field(default=31.0, gt=0, le=500)
    contrast: float = Field(default=0.1, gt=0, le=1)

    def halo(self, spacing_mm: Spacing) -> Index:
        """A closing and an opening look twice as far as their lines reach, and then comes the Gaussian."""
        parts = zip(
            _reach(self.width_mm, spacing_mm),
            _reach(self.length_mm, spacing_mm),
            gaussian_weights.halo(self.width_mm / 2, spacing_mm),
            strict=True,
        )
        return tuple(2 * width + EDGE + 2 * length + mean for width, length, mean in parts)

    def measure(self, blocks: Blocks, view: View) -> Facts:
        """The range of the luminance."""
        low, high = quantiles(luminances(blocks, view), (0.01, 0.99))
        return {"range": high - low}

    def apply(self, block: Array, view: View) -> Array:
        """Clear the block."""
        hair = find_hair(
            floating(luminance(block, 2)),
            spacing_mm=view.spacing_mm,
            width_mm=self.width_mm,
            length_mm=self.length_mm,
            darker=self.contrast * view.measured["range"],
        )
        return remove_hair(block, hair, spacing_mm=view.spacing_mm, sigma_mm=self.width_mm / 2)
