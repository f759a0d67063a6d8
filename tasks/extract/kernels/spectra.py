"""Weighted sums over the frequencies of images."""

from __future__ import annotations

from numba import njit

from tasks.imaging.step import Array


@njit(cache=True, nogil=True)
def weighted_sums(weights: Array, pairs: Array, products: Array, squares: Array) -> tuple[float, float, float]:
    """Sums over all frequencies of weight times ``|pairs|²``, ``|products|²`` and ``Re(squares · conj(pairs))``.

    Parameters
    ----------
    weights
        float64, an octant of real and even weights: ``(z, y, x)`` frequencies from 0 to half a period each.
    pairs, products, squares
        complex128, transforms of real images as ``rfftn`` lays them out: half of the frequencies along x.
    """
    depth, height, width = pairs.shape
    total, correlated, spread = 0.0, 0.0, 0.0
    for z in range(depth):
        for y in range(height):
            row = weights[min(z, depth - z), min(y, height - y)]
            for x in range(width):
                # The other half along x are the same frequencies seen from behind.
                weight = row[x] if x == 0 or x == width - 1 else 2 * row[x]
                one, two, three = pairs[z, y, x], products[z, y, x], squares[z, y, x]
                total += weight * (one.real * one.real + one.imag * one.imag)
                correlated += weight * (two.real * two.real + two.imag * two.imag)
                spread += weight * (three.real * one.real + three.imag * one.imag)
    return total, correlated, spread
