"""Weighted sums over the frequencies of two images."""

from __future__ import annotations

from numba import njit

from tasks.imaging.step import Array


@njit(cache=True, nogil=True)
def weighted_sum(weights: Array, one: Array, other: Array) -> float:
    """Sum over all frequencies of weight times ``Re(one · conj(other))``.

    Parameters
    ----------
    weights
        float64, an octant of real and even weights: ``(z, y, x)`` frequencies from 0 to half a period each.
    one, other
        complex128, transforms of real images as ``rfftn`` lays them out: half of the frequencies along x.
    """
    depth, height, width = one.shape
    total = 0.0
    for z in range(depth):
        for y in range(height):
            row = weights[min(z, depth - z), min(y, height - y)]
            for x in range(width):
                # The other half along x are the same frequencies seen from behind.
                weight = row[x] if x == 0 or x == width - 1 else 2 * row[x]
                a, b = one[z, y, x], other[z, y, x]
                total += weight * (a.real * b.real + a.imag * b.imag)
    return total
