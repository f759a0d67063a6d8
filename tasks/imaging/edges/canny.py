"""Canny's edges: lines one pixel wide where the gradient is largest, slice by slice.

The image is smoothed, and of its gradient the ridges are kept that are strong, or weak but joined to strong ones
(Canny, doi:10.1109/TPAMI.1986.4767851), by scikit-image. Weak and strong are told by the step of an edge, as a share
of the range between the image's 1 % and 99 % quantiles: all slices are judged alike, and an empty one gives nothing.

Edges may be joined across the whole slice, so that slices can be worked on apart but not parts of them.
"""

from __future__ import annotations

from math import erf, sqrt
from typing import Literal

import numpy as np
from pydantic import Field, model_validator

from tasks.imaging.luminance import by_luminance, luminances
from tasks.imaging.order_statistics import quantiles
from tasks.imaging.step import Array, Blocks, Facts, Index, Spacing, Step, View, floating

EVERYTHING = 1 << 30
"""Of a halo: more voxels than any image has."""
_SOBEL = 4.0
"""What scipy's Sobel operator, which is not normalised, makes of a sharp step of 1."""


def canny(array: Array, *, spacing_mm: Spacing, sigma_mm: float, weak: float, strong: float) -> Array:
    """Edges of 1 on a ground of 0; none in the outermost pixels.

    Parameters
    ----------
    array
        ``(y, x)`` or ``(z, y, x)``. In colour (last), edges of the luminance, in every channel.
    spacing_mm
        Along the spatial axes, in mm.
    sigma_mm
        Standard deviation of the Gaussian, within slices.
    weak, strong
        Step, in the image's unit, of a straight sharp edge that is just kept if it is joined to a strong one, and of
        one that is just strong.

    Returns
    -------
    numpy.ndarray
        float32, or float64 of float64.
    """
    sigma = [sigma_mm / s for s in spacing_mm[-2:]]
    blur = sqrt(sigma[0] * sigma[1])
    answer = _SOBEL * erf(1 / (blur * sqrt(2)))

    def of_grey(grey: Array) -> Array:
        values = floating(grey)
        if strong <= 0:  # an image of one value
            return np.zeros_like(values)
        slices = values if values.ndim == 3 else values[None]
        edges = np.stack([_edges(one, sigma, answer * weak, answer * strong) for one in slices])
        return edges.astype(values.dtype).reshape(values.shape)

    return by_luminance(of_grey, array, len(spacing_mm))


def _edges(grey: Array, sigma: list[float], low: float, high: float) -> Array:
    from skimage.feature import canny as edges

    return np.asarray(edges(grey, sigma, low_threshold=low, high_threshold=high, mode="reflect"))


class Settings(Step):
    """Canny's edges; ``weak`` and ``strong`` steps are shares of the image's range."""

    name: Literal["canny"] = "canny"
    sigma_mm: float = Field(default=1.0, gt=0, le=20, description="Standard deviation of the Gaussian, in slices.")
    weak: float = Field(default=0.1, gt=0, le=1, description="Step of an edge that is kept if joined to a strong one.")
    strong: float = Field(default=0.2, gt=0, le=1, description="Step of an edge that is kept.")

    @model_validator(mode="after")
    def _in_order(self) -> Settings:
        if self.weak > self.strong:
            raise ValueError(f"expected weak <= strong; got {self.weak} and {self.strong}")
        return self

    def halo(self, spacing_mm: Spacing) -> Index:
        """The whole slice, and no other."""
        return (0,) * (len(spacing_mm) - 2) + (EVERYTHING,) * 2

    def measure(self, blocks: Blocks, view: View) -> Facts:
        """The steps in the image's unit."""
        low, high = quantiles(luminances(blocks, view), (0.01, 0.99))
        return {"weak": self.weak * (high - low), "strong": self.strong * (high - low)}

    def apply(self, block: Array, view: View) -> Array:
        """The block's edges."""
        return canny(block, spacing_mm=view.spacing_mm, sigma_mm=self.sigma_mm, **view.measured)

    def unit_after(self, unit: str) -> str:
        """From 0 to 1."""
        del unit
        return "share"
