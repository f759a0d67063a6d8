"""Burned-in labels found and filled: letters, arrows, measuring marks.

Marks give a lesion away: callipers are set at its edge. A model that sees them learns the callipers. They differ from
what was imaged in one thing: they are drawn, and end from one pixel to the next, where a scanner blurs every edge. So a
*mark* is a small connected piece of bright pixels (from ``bright`` of the picture's range on) around which the picture
falls steeply, from one pixel to the next, on nearly all sides. Once there is one, its brightness is known, and other
pieces as bright are marks too where the picture falls within two pixels (smoothed letters) or they are mere dots (the
line between two callipers).

Missed is a mark that touches tissue as bright as itself: what was filled is no proof that a picture is free of marks.
And what is filled is invented: the smoothest surface through the border (biharmonic, doi:10.1155/2018/3950312). It
hides a mark, it shows no tissue.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from tasks.imaging.luminance import luminance
from tasks.imaging.step import Array, Kind, Step, View, floating

BoolArray = npt.NDArray[np.bool_]
EIGHT = np.ones((3, 3), dtype=bool)
LEAST_MARK = 12
"""Pixels of a mark that stands for itself."""
STEEP_SHARE = 0.8
"""Share of a mark's border that falls steeply."""
INK_SPREAD = 0.1
"""Share of the range that marks of one picture differ in brightness."""
MARGIN = 6
"""Pixels around a mark that its filling is computed from."""


def label_mask(
    grey: Array, *, bright: float = 0.75, fall: float = 0.25, largest: float = 0.25, grow_pixels: int = 1
) -> BoolArray:
    """Where marks are drawn on a picture.

    Parameters
    ----------
    grey
        ``(y, x)``.
    bright
        Share of the picture's range (minimum to maximum) that a mark's pixels are above.
    fall
        Share of the range that the picture falls by from a mark's border to the next pixel.
    largest
        Share of the picture's longer side that a mark's box may have.
    grow_pixels
        The mask is wider than the mark by so many pixels: what a codec smeared.
    """
    from scipy import ndimage

    low, high = float(grey.min()), float(grey.max())
    if not low < high:
        return np.zeros(grey.shape, dtype=bool)
    values = (floating(grey) - low) / (high - low)
    certain = _drawn(values, bright, fall=fall, pixels=1, longest=largest * max(grey.shape), least=LEAST_MARK)
    if not certain.any():
        return certain
    ink = float(np.median(values[certain]))
    alike = _drawn(values, ink - INK_SPREAD, fall=fall, pixels=2, longest=largest * max(grey.shape), least=1)
    mask = certain | alike
    return np.asarray(ndimage.binary_dilation(mask, EIGHT, iterations=grow_pixels)) if grow_pixels else mask


def _drawn(values: Array, bright: float, *, fall: float, pixels: int, longest: float, least: int) -> BoolArray:
    """The pieces above a brightness whose border falls steeply within so many pixels."""
    from scipy import ndimage

    labels, count = ndimage.label(values >= bright, EIGHT)
    sides = [0] + [max(s.stop - s.start for s in box) for box in ndimage.find_objects(labels)]
    size = np.bincount(labels.ravel(), minlength=count + 1)
    steep = _steep_share(values, labels, count, fall=fall, pixels=pixels)
    drawn = (steep >= STEEP_SHARE) & (np.asarray(sides) <= longest) & (size >= least)
    drawn[0] = False
    return np.asarray(drawn[labels])


def _steep_share(
    values: Array, labels: npt.NDArray[Any], count: int, *, fall: float, pixels: int
) -> npt.NDArray[np.float64]:
    """Of each piece, the share of its border (pixels, towards each of four sides) that falls steeply."""
    sides, steep = np.zeros(count + 1), np.zeros(count + 1)
    padded, ground = np.pad(labels, pixels, mode="edge"), np.pad(values, pixels, mode="edge")
    height, width = values.shape
    for dy, dx in ((0, 1), (0, -1), (1, 0), (-1, 0)):
        beside = [
            tuple(slice(pixels + n * d, pixels + n * d + side) for d, side in ((dy, height), (dx, width)))
            for n in range(1, pixels + 1)
        ]
        border = (labels > 0) & (padded[beside[0]] == 0)
        lowest = np.minimum.reduce([ground[place] for place in beside])
        sides += np.bincount(labels[border], minlength=count + 1)
        steep += np.bincount(labels[border], weights=(values - lowest)[border] >= fall, minlength=count + 1)
    return steep / np.maximum(sides, 1)


def inpaint(array: Array, mask: BoolArray) -> Array:
    """Fill a mask with the smoothest surface through what surrounds it.

    Parameters
    ----------
    array
        ``(y, x)``, perhaps with colour last.
    mask
        ``(y, x)``.

    Returns
    -------
    numpy.ndarray
        float32, or float64 of float64. A mask that covers everything leaves the picture as it is.
    """
    from scipy import ndimage
    from skimage.restoration import inpaint_biharmonic

    filled = floating(array).copy()
    if mask.all():
        return filled
    near, _ = ndimage.label(ndimage.binary_dilation(mask, EIGHT, iterations=MARGIN))
    for box in ndimage.find_objects(near):
        part, hole = filled[box], mask[box]
        low, high = float(part[~hole].min()), float(part[~hole].max())
        scale = high - low or 1.0  # the solver thinks in 0 … 1
        smooth = inpaint_biharmonic((part - low) / scale, hole, channel_axis=-1 if array.ndim > 2 else None)
        part[hole] = np.clip(smooth[hole] * scale + low, low, high)
    return filled


class Settings(Step):
    """Drawn marks found in a picture (in colour: in its luminance) and filled.

    Attributes
    ----------
    bright, fall, largest, grow_pixels
        As in :func:`label_mask`.
    """

    name: Literal["inpaint"] = "inpaint"
    kinds = frozenset[Kind]({"2-D", "colour"})
    whole = True
    bright: float = Field(default=0.75, gt=0, le=1)
    fall: float = Field(default=0.25, gt=0, le=1)
    largest: float = Field(default=0.25, gt=0, le=1)
    grow_pixels: int = Field(default=1, ge=0, le=10)

    def apply(self, block: Array, view: View) -> Array:
        """Fill the picture's marks."""
        grey = luminance(block, len(view.shape))
        mask = label_mask(grey, bright=self.bright, fall=self.fall, largest=self.largest, grow_pixels=self.grow_pixels)
        return inpaint(block, mask)
