"""CLAHE: contrast-limited adaptive histogram equalization (Zuiderveld 1994, doi:10.1016/B978-0-12-336156-1.50061-6).

Each tile of a picture is equalized by itself, its histogram cut so that noise is not blown up, and the mappings are
blended between tiles. The work is scikit-image's. Volumes are done slice by slice, as radiologists look at them.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from tasks.imaging.hue_kept import on_luminance, white_in
from tasks.imaging.slabs import whole_planes
from tasks.imaging.step import Array, Blocks, Facts, Index, Spacing, Step, View, floating


def clahe(grey: Array, *, tiles: int = 8, clip_limit: float = 0.01, bins: int = 256) -> Array:
    """Equalize tile by tile.

    Parameters
    ----------
    grey
        ``(y, x)``, or ``(z, y, x)``: then each slice.
    tiles
        Along each side.
    clip_limit
        Share of a tile's pixels that a bin of its histogram may hold; what is cut is spread over all bins.
    bins
        Of the histogram.

    Returns
    -------
    numpy.ndarray
        0 … 1 in each slice; a constant slice becomes 0. float32, or float64 of float64.
    """
    from skimage.exposure import equalize_adapthist

    values = floating(grey)
    result = np.zeros_like(values, order="C")
    for plane, out in zip(values.reshape(-1, *values.shape[-2:]), result.reshape(-1, *values.shape[-2:]), strict=True):
        low, high = float(plane.min()), float(plane.max())
        if low < high:
            kernel = [max(1, side // tiles) for side in plane.shape]
            share = (plane - low) / (high - low)
            out[:] = equalize_adapthist(share, kernel_size=kernel, clip_limit=clip_limit, nbins=bins)
    return result


class Settings(Step):
    """CLAHE of each slice; of a coloured picture in its luminance.

    Attributes
    ----------
    tiles, clip_limit, bins
        As in :func:`clahe`.
    """

    name: Literal["clahe"] = "clahe"
    tiles: int = Field(default=8, ge=1, le=64)
    clip_limit: float = Field(default=0.01, gt=0, le=1)
    bins: int = Field(default=256, ge=2, le=16384)

    def halo(self, spacing_mm: Spacing) -> Index:
        """A slice in one piece."""
        return whole_planes(spacing_mm)

    def measure(self, blocks: Blocks, view: View) -> Facts:
        """What white is, in colour."""
        return {"white": white_in(blocks, view)}

    def apply(self, block: Array, view: View) -> Array:
        """Equalize the block's slices."""
        return on_luminance(
            block,
            len(view.shape),
            lambda grey: clahe(grey, tiles=self.tiles, clip_limit=self.clip_limit, bins=self.bins),
            white=view.measured["white"],
            white_after=1.0,
        )

    def unit_after(self, unit: str) -> str:
        """From 0 to 1."""
        del unit
        return "share"
