"""Second derivatives of a smoothed image, and what their eigenvalues say of lines and blobs.

Eigenvalues are found in closed form (Smith, doi:10.1145/355578.366316), voxel by voxel in float64. ``sign`` is 1 for
dark lines, across which the curvature is positive, and -1 for bright ones.
"""

from __future__ import annotations

from itertools import combinations_with_replacement
from math import acos, cos, exp, pi, sqrt

import numpy as np
from numba import njit

from tasks.imaging.gaussian_weights import weights
from tasks.imaging.kernels.separable import convolve
from tasks.imaging.step import Array, Spacing


def hessian(image: Array, spacing_mm: Spacing, sigma_mm: float, slices: tuple[int, int] | None) -> Array:
    """Second derivatives times ``sigma_mm²``: comparable between scales, and in the image's unit.

    Parameters
    ----------
    image
        ``(y, x)`` or ``(z, y, x)``; the border is mirrored.
    slices
        From and up to which, of a volume; ``None``: all.

    Returns
    -------
    numpy.ndarray
        ``(6, voxels)``: zz, zy, zx, yy, yx, xx; or ``(3, voxels)``: yy, yx, xx.
    """
    parts = []
    for one, other in combinations_with_replacement(range(image.ndim), 2):
        rows = [weights(sigma_mm / s, order=(axis == one) + (axis == other)) for axis, s in enumerate(spacing_mm)]
        part = convolve(image, rows, slices)
        part *= sigma_mm**2 / (spacing_mm[one] * spacing_mm[other])
        parts.append(part.ravel())
    return np.stack(parts)


@njit(cache=True, nogil=True)
def add_frangi(
    parts: Array, sign: float, plate: float, blob: float, structure: float, out: Array, start: int, stop: int
) -> None:
    """Raise ``out[start:stop]`` to Frangi's vesselness where that is larger."""
    for i in range(start, stop):
        if len(parts) == 3:
            answer = _frangi_2d(*_eigenvalues_2d(parts, i, sign), blob, structure)
        else:
            answer = _frangi_3d(*_eigenvalues_3d(parts, i, sign), plate, blob, structure)
        out[i] = max(out[i], out.dtype.type(answer))


@njit(cache=True, nogil=True)
def add_sato(parts: Array, sign: float, out: Array, start: int, stop: int) -> None:
    """Raise ``out[start:stop]`` to Sato's line measure where that is larger."""
    for i in range(start, stop):
        if len(parts) == 3:
            answer = max(_eigenvalues_2d(parts, i, sign)[1], 0.0)
        else:
            _, middle, high = _eigenvalues_3d(parts, i, sign)
            answer = sqrt(max(middle, 0.0) * max(high, 0.0))
        out[i] = max(out[i], out.dtype.type(answer))


@njit(cache=True, nogil=True)
def add_blob(parts: Array, sign: float, out: Array, start: int, stop: int) -> None:
    """Raise ``out[start:stop]`` to Li's dot measure where that is larger; ``sign`` is that of dark or bright blobs."""
    for i in range(start, stop):
        if len(parts) == 3:
            low, high = _eigenvalues_2d(parts, i, sign)
        else:
            low, _, high = _eigenvalues_3d(parts, i, sign)
        answer = low * low / high if low > 0 else 0.0
        out[i] = max(out[i], out.dtype.type(answer))


@njit(cache=True, nogil=True)
def _frangi_2d(low: float, high: float, blob: float, structure: float) -> float:
    least, most = (low, high) if abs(low) < abs(high) else (high, low)
    if most <= 0:
        return 0.0
    strength = low * low + high * high
    return exp(-((least / most) ** 2) / (2 * blob**2)) * (1 - exp(-strength / (2 * structure**2)))


@njit(cache=True, nogil=True)
def _frangi_3d(a: float, b: float, c: float, plate: float, blob: float, structure: float) -> float:
    if abs(a) > abs(b):
        a, b = b, a
    if abs(b) > abs(c):
        b, c = c, b
    if abs(a) > abs(b):
        a, b = b, a
    if b <= 0 or c <= 0:
        return 0.0
    flatness, roundness, strength = b / c, abs(a) / sqrt(b * c), a * a + b * b + c * c
    line = (1 - exp(-(flatness**2) / (2 * plate**2))) * exp(-(roundness**2) / (2 * blob**2))
    return line * (1 - exp(-strength / (2 * structure**2)))


@njit(cache=True, nogil=True)
def _eigenvalues_2d(parts: Array, i: int, sign: float) -> tuple[float, float]:
    """In rising order."""
    yy, yx, xx = sign * parts[0, i], sign * parts[1, i], sign * parts[2, i]
    mean, half = (yy + xx) / 2, sqrt(((yy - xx) / 2) ** 2 + yx**2)
    return mean - half, mean + half


@njit(cache=True, nogil=True)
def _eigenvalues_3d(parts: Array, i: int, sign: float) -> tuple[float, float, float]:
    """In rising order."""
    zz, zy, zx = sign * parts[0, i], sign * parts[1, i], sign * parts[2, i]
    yy, yx, xx = sign * parts[3, i], sign * parts[4, i], sign * parts[5, i]
    mean = (zz + yy + xx) / 3
    a, b, c = zz - mean, yy - mean, xx - mean
    spread = sqrt((a * a + b * b + c * c + 2 * (zy * zy + zx * zx + yx * yx)) / 6)
    if spread == 0:
        return mean, mean, mean
    determinant = a * (b * c - yx * yx) - zy * (zy * c - yx * zx) + zx * (zy * yx - b * zx)
    angle = acos(max(-1.0, min(1.0, determinant / (2 * spread**3)))) / 3
    high, low = mean + 2 * spread * cos(angle), mean + 2 * spread * cos(angle + 2 * pi / 3)
    return low, 3 * mean - high - low, high
