"""The Fourier transform of an image with the right centre, scale and frequencies.

``F(f) = N^(-1/2) * sum over r of x(r) * exp(-2 pi i f·r)``, and back with the other sign. Three conventions that are
often left open are fixed here:

- *Centre*: position 0 is the voxel ``n // 2`` along each axis, and frequency 0 the element ``n // 2`` of the spectrum.
  What is symmetric about that voxel has a real spectrum; a shift by d mm multiplies it by ``exp(-2 pi i f·d)``.
- *Scale*: unitary, so that the energy of image and spectrum is the same (Parseval).
- *Frequency*: cycles per mm, ``k / (n * spacing_mm)``, along the image's own axes in their order, whatever their
  spacings.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tasks.imaging.step import Array, Index, Spacing, floating
from tasks.threads import thread_budget

Floats = npt.NDArray[np.floating[Any]]


def forward(array: Array) -> Array:
    """The centred spectrum.

    Parameters
    ----------
    array
        Real values along spatial axes only; no colour.

    Returns
    -------
    numpy.ndarray
        Same shape; complex64, or complex128 of float64.
    """
    from scipy import fft

    centred = fft.ifftshift(floating(array))
    return np.asarray(fft.fftshift(fft.fftn(centred, norm="ortho", workers=thread_budget())))


def inverse(spectrum: Array) -> Array:
    """The image of a centred spectrum: the real part, which is everything where it came from a real image."""
    from scipy import fft

    image = fft.ifftn(fft.ifftshift(spectrum), norm="ortho", workers=thread_budget(), overwrite_x=True)
    return np.asarray(fft.fftshift(image.real))


def frequencies_per_mm(shape: Index, spacing_mm: Spacing) -> tuple[Floats, ...]:
    """Frequencies along each axis of a centred spectrum in cycles/mm, ascending, 0 at ``n // 2``."""
    return tuple(np.fft.fftshift(np.fft.fftfreq(n, s)) for n, s in zip(shape, spacing_mm, strict=True))


def half_frequencies_per_mm(shape: Index, spacing_mm: Spacing) -> tuple[Floats, ...]:
    """Frequencies along each axis of ``scipy.fft.rfftn``: 0 first, and the last axis without its negative half."""
    *others, last = (np.fft.fftfreq(n, s) for n, s in zip(shape, spacing_mm, strict=True))
    return (*others, np.abs(last[: shape[-1] // 2 + 1]))


def length(frequencies: Sequence[Floats]) -> Floats:
    """Length of the frequency at every element of the grid that these axes span, in cycles/mm."""
    square = sum(f**2 for f in np.meshgrid(*frequencies, indexing="ij", sparse=True))
    return np.asarray(np.sqrt(square))
