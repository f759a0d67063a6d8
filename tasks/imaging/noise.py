"""How noisy an image is: the standard deviation of what differs from pixel to pixel without being structure.

Of each square of 2×2 pixels of a slice the diagonal Haar coefficient ``(a - b - c + d) / 2`` is taken. Of an even
surface and of edges along rows or columns it is 0, of noise that is independent from pixel to pixel it has the noise's
own standard deviation. Its median absolute value is not moved by the few squares that structure enters (Donoho and
Johnstone, doi:10.1093/biomet/81.3.425).

Counted are squares of the patient: Otsu's threshold (doi:10.1109/TSMC.1979.4310076) parts the squares' means in two,
and the patient is what lies above the middle of the two parts. In air noise is another (of MR), or cut off (of CT). The
mean of a square says nothing of its diagonal, so that this choice does not favour small or large noise. Squares of one
value are never counted. Within slices, since they are often thicker than pixels are wide.

Noise that neighbours share (a smooth reconstruction kernel, an image enlarged by interpolation) is underestimated.
"""

from __future__ import annotations

from math import ceil
from typing import Any

import numpy as np
import numpy.typing as npt

from tasks.imaging.step import Array, Blocks, Index, Spacing, View

SQUARES = 1 << 20
"""So many squares at most are looked at; where there are more, evenly spread ones."""
MAD_TO_SIGMA = 0.6744897501960817
"""Median absolute value of a standard normal variable."""

Floats = npt.NDArray[np.floating[Any]]


def noise_of(array: Array, spacing_mm: Spacing) -> float:
    """The noise's standard deviation in a whole image; see :func:`noise_level`."""
    view = View.of(array, spacing_mm)
    return noise_level(lambda: [(view.start, array)], view)


def noise_level(blocks: Blocks, view: View) -> float:
    """The noise's standard deviation in an image that comes in blocks, the same whatever the blocks.

    Parameters
    ----------
    blocks, view
        As a step is given them to measure. In colour the channels' squares are counted together.

    Returns
    -------
    float
        In the image's unit; 0 where nothing varies, and for images one pixel wide.
    """
    shape = (*(1,) * (3 - len(view.shape)), *view.shape)
    sampling = _Sampling.of(shape)
    for start, block in blocks():
        lead = 3 - len(start)
        sampling.add((0,) * lead + start, block.reshape((1,) * lead + block.shape))
    return sampling.level()


class _Sampling:
    """The chosen squares, put together from blocks: a square may be cut by blocks' edges, but its sum can be added to.

    Square ``k`` along an axis begins at pixel ``pitch[axis] * k`` of the whole image.
    """

    def __init__(self, counts: Index, pitch: Index) -> None:
        self.counts, self.pitch = counts, pitch
        self.difference: Floats | None = None

    @classmethod
    def of(cls, shape: Index) -> _Sampling:
        """Every square, or every second along each axis, or every third …, until they are few enough."""
        stride = 1
        while True:
            pitch = (stride, 2 * stride, 2 * stride)
            counts = (ceil(shape[0] / stride), *(ceil((n - 1) / p) for n, p in zip(shape[1:], pitch[1:], strict=True)))
            if np.prod(counts) <= SQUARES:
                return cls(counts, pitch)
            stride += 1

    def add(self, start: Index, block: Array) -> None:
        """Take what a block ``(z, y, x)``, perhaps with colour last, has of the squares."""
        if self.difference is None:
            shape = self.counts + block.shape[3:]
            self.difference, self.sum = np.zeros(shape), np.zeros(shape)
            self.low, self.high = np.full(shape, np.inf), np.full(shape, -np.inf)
        for y in (0, 1):
            for x in (0, 1):
                squares, pixels = self._places((0, y, x), start, block.shape)
                values = block[pixels].astype(np.float64)
                self.difference[squares] += values if y == x else -values
                self.sum[squares] += values
                self.low[squares] = np.minimum(self.low[squares], values)
                self.high[squares] = np.maximum(self.high[squares], values)

    def _places(self, corner: Index, start: Index, shape: Index) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
        """Which squares have this corner in a block, and where in the block it lies."""
        squares, pixels = [], []
        for offset, begin, size, count, pitch in zip(corner, start, shape, self.counts, self.pitch, strict=False):
            first = max(0, -((offset - begin) // pitch))
            last = max(first, min(count, -((offset - begin - size) // pitch)))
            at = pitch * first + offset - begin
            squares.append(slice(first, last))
            pixels.append(slice(at, at + pitch * (last - first), pitch))
        return tuple(squares), tuple(pixels)

    def level(self) -> float:
        """The median of the patient's squares."""
        if self.difference is None or not self.difference.size:
            return 0.0
        seen = np.abs(self.difference[(self.high > self.low) & (self.sum > self._ground())])
        return float(np.median(seen) / 2 / MAD_TO_SIGMA) if seen.size else 0.0

    def _ground(self) -> float:
        """What the sum of a patient's square is greater than."""
        from skimage.filters import threshold_otsu

        if np.isclose(self.sum.min(), self.sum.max(), rtol=1e-9, atol=0.0):
            return -np.inf
        upper = self.sum > threshold_otsu(self.sum.ravel())
        return float(self.sum[upper].mean() + self.sum[~upper].mean()) / 2
