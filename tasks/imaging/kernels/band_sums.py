"""Power and cross-power of many small spectra, added up over bands of coefficients in one pass."""

from __future__ import annotations

import numpy as np
from numba import njit

from tasks.imaging.step import Array


@njit(cache=True, nogil=True)
def add_powers(first: Array, second: Array, band: Array, cross: Array, own: Array) -> None:
    """Add to ``cross`` the sums of ``first · conj(second)``, and to ``own`` those of ``|first|²``.

    Parameters
    ----------
    first, second
        Complex, ``(rows, columns, ky, kx)``.
    band
        int64, ``(ky, kx)``: which sum each coefficient belongs to.
    cross, own
        complex128 and float64, ``(rows, columns, bands)``; summed in double precision.
    """
    rows, columns, height, width = first.shape
    for a in range(rows):
        for b in range(columns):
            for i in range(height):
                for j in range(width):
                    x = np.complex128(first[a, b, i, j])
                    y = np.complex128(second[a, b, i, j])
                    cross[a, b, band[i, j]] += x * y.conjugate()
                    own[a, b, band[i, j]] += x.real * x.real + x.imag * x.imag
