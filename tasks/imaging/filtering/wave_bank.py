"""Planes convolved with large complex kernels, by Fourier transform."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from storage.volume import FloatArray
from tasks.imaging.filtering.boundary import Boundary, extended


class WaveBank:
    """Kernels, transformed once for all planes of a shape.

    Parameters
    ----------
    kernels
        Complex, of one shape with an odd number of weights along both axes.
    shape
        Of the planes.
    precision
        Of the planes, float32 or float64.
    boundary
        What lies outside of a plane.
    """

    def __init__(
        self,
        kernels: Sequence[npt.NDArray[np.complex128]],
        shape: tuple[int, ...],
        precision: npt.DTypeLike,
        boundary: Boundary,
    ) -> None:
        from scipy import fft

        self._boundary = boundary
        self._reach = [n // 2 for n in kernels[0].shape]
        self._sizes = [fft.next_fast_len(n + 2 * r, real=True) for n, r in zip(shape, self._reach, strict=True)]
        # What lies ahead of the kernel's middle wraps round and is cut off with the border before it.
        self._inner = tuple(slice(2 * r, 2 * r + n) for n, r in zip(shape, self._reach, strict=True))
        kind = np.result_type(precision, np.complex64)
        self._waves = [fft.rfft2([k.real, k.imag], s=self._sizes).astype(kind) for k in kernels]

    def moduli(self, plane: FloatArray) -> Iterator[FloatArray]:
        """The size of the plane's response to each kernel."""
        from scipy import fft

        wide = extended(plane, [(r, r) for r in self._reach], self._boundary)
        spectrum: Any = fft.rfft2(wide, s=self._sizes)
        for wave in self._waves:
            even, odd = fft.irfft2(spectrum * wave, s=self._sizes)[:, *self._inner]
            yield np.hypot(even, odd)
