"""Filters that are given by what they do to frequencies, after the IBSI manual (arXiv:2006.05470).

Frequencies are shares of the highest that voxels can hold, by axis. The standard's reference maps sample them at ``n``
places from -1 to 1 with both ends, a little wider than the discrete Fourier transform does; with its own samples the
coarser levels of 64 voxels would miss the maps by up to 8 % of their range. We follow the maps. Where ``n`` is even, a
sample and its opposite then differ in size, and the real part that the standard takes is that of their mean.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from storage.volume import FloatArray
from tasks.imaging.filtering.boundary import Boundary, extended
from tasks.threads import thread_budget

Frequencies = list[npt.NDArray[np.float64]]
"""Along each axis from -1 to 1, to be broadcast against each other."""
Transfer = Callable[[Frequencies], npt.NDArray[Any]]
"""What a filter multiplies each frequency by."""

AT_ONCE = 1_000_000
"""Frequencies whose factors are held in memory."""


def multiplied(image: FloatArray, transfer: Transfer, reach: int, boundary: Boundary) -> FloatArray:
    """The image with its frequencies multiplied.

    Parameters
    ----------
    image
        With any number of axes, all of them filtered; float32 or float64.
    reach
        Voxels by which it is extended to either side, since a filter of frequencies reaches without end. A periodic
        image needs none.
    """
    from scipy import fft

    wide, inner = image, tuple(slice(0, n) for n in image.shape)
    if boundary != "periodic":
        sizes = [fft.next_fast_len(n + 2 * reach, real=True) for n in image.shape]
        sides = [(reach, size - n - reach) for n, size in zip(image.shape, sizes, strict=True)]
        wide, inner = extended(image, sides, boundary), tuple(slice(reach, reach + n) for n in image.shape)
    spectrum = np.asarray(fft.rfftn(wide, workers=thread_budget()))
    _multiply(spectrum, transfer, wide.shape)
    found = fft.irfftn(spectrum, s=wide.shape, workers=thread_budget(), overwrite_x=True)
    return np.ascontiguousarray(found[inner])


def slice_by_slice(image: FloatArray, transfer: Transfer, reach: int, boundary: Boundary) -> FloatArray:
    """The same for each slice by itself."""
    return np.stack([multiplied(one, transfer, reach, boundary) for one in image])


def _multiply(spectrum: npt.NDArray[Any], transfer: Transfer, shape: tuple[int, ...]) -> None:
    """Multiply half of a spectrum in place; the other half follows from the image being real."""
    at, opposite = _half(shape)
    step = max(1, AT_ONCE // spectrum[0].size)
    for start in range(0, len(spectrum), step):
        rows = slice(start, start + step)
        here, there = (transfer([grid[0][rows], *grid[1:]]) for grid in (at, opposite))
        spectrum[rows] *= (here + np.conj(there)) / 2


def _half(shape: tuple[int, ...]) -> tuple[Frequencies, Frequencies]:
    """The frequencies of a real image's spectrum, and the opposite ones."""
    at: Frequencies = []
    opposite: Frequencies = []
    for axis, n in enumerate(shape):
        samples = np.fft.ifftshift(np.linspace(-1.0, 1.0, n))
        kept = np.arange(n // 2 + 1 if axis == len(shape) - 1 else n)
        broadcast = [-1 if a == axis else 1 for a in range(len(shape))]
        at.append(samples[kept].reshape(broadcast))
        opposite.append(samples[-kept % n].reshape(broadcast))
    return at, opposite
