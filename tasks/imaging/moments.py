"""Moments that stay the same when a distribution of mass is moved, turned or scaled, in the plane and in space.

*Mass* is not negative and sits in the centres of voxels, whose spacing is respected; a mask has mass 1 everywhere.

- Zernike moments: projections of the plane onto the polynomials of the unit disc; their sizes do not change when it is
  turned (Teague 1980, doi:10.1364/JOSA.70.000920; Khotanzad & Hong 1990, doi:10.1109/34.55109).
- Invariants in space, as contractions of the tensors of second and third central moments (Sadjadi & Hall 1980,
  doi:10.1109/TPAMI.1980.4766990; Lo & Don 1989, doi:10.1109/34.42836; Flusser, Suk & Zitová 2016, "2D and 3D Image
  Analysis by Moments", chapter 4). They do not tell a body from its mirror image.
"""

from __future__ import annotations

from itertools import combinations_with_replacement, permutations
from math import factorial

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def zernike_orders(highest: int) -> tuple[tuple[int, int], ...]:
    """Order n and repetition m of the moments that tell shapes apart, up to an order.

    (0, 0) is the mass, and (1, 1) is 0 since the disc is centred on the mass.
    """
    orders = [(n, m) for n in range(2, highest + 1) for m in range(n % 2, n + 1, 2)]
    return tuple(orders)


def zernike_magnitudes(mass: Floats, *, spacing_mm: tuple[float, float], highest: int) -> Floats:
    """Sizes of the Zernike moments of ``zernike_orders``, over the whole mass.

    Parameters
    ----------
    mass
        ``(y, x)``, not all 0.
    spacing_mm
        Of the pixels ``(y, x)``.

    Returns
    -------
    numpy.ndarray
        One number per order, at most ``(n + 1) / pi``; 0 of an even disc. The disc is centred on the mass and reaches
        to the farthest corner of a pixel with mass.
    """
    at = np.nonzero(mass)
    weights = mass[at] / mass[at].sum()
    y, x = (index * s for index, s in zip(at, spacing_mm, strict=True))
    y, x = y - (weights * y).sum(), x - (weights * x).sum()
    reach = float(np.hypot(np.abs(y) + spacing_mm[0] / 2, np.abs(x) + spacing_mm[1] / 2).max())
    radius, angle = np.hypot(y, x) / reach, np.arctan2(y, x)
    found = [
        (n + 1) / np.pi * abs((weights * radial_polynomial(n, m, radius) * np.exp(-1j * m * angle)).sum())
        for n, m in zernike_orders(highest)
    ]
    return np.array(found)


def radial_polynomial(n: int, m: int, radius: Floats) -> Floats:
    """Zernike's ``R_nm`` at radii 0 to 1, for n ≥ m ≥ 0 and n - m even; 1 at the edge of the disc."""
    total = np.zeros_like(radius)
    for k in range((n - m) // 2 + 1):
        below = factorial(k) * factorial((n + m) // 2 - k) * factorial((n - m) // 2 - k)
        total += (-1) ** k * (factorial(n - k) // below) * radius ** (n - 2 * k)
    return total


def space_invariants(mass: Floats, *, spacing_mm: tuple[float, float, float]) -> dict[str, float]:
    """Six numbers that moves, turns, mirrors and scales of a body do not change.

    Parameters
    ----------
    mass
        ``(z, y, x)``, not all 0.

    Returns
    -------
    dict
        With M and T the tensors of second and third central moments in mm, divided by powers of the total mass so that
        size drops out: ``trace``, ``minors`` and ``determinant`` of M (0 where flat); ``third_norm`` T·T,
        ``third_vector`` v·v and ``third_along`` v·M·v, where v is T contracted once: how much heavier one side is.
    """
    at = np.nonzero(mass)
    voxel = float(np.prod(spacing_mm))
    weights = mass[at] * voxel
    total = float(weights.sum())
    along = [index * s for index, s in zip(at, spacing_mm, strict=True)]
    along = [one - float(np.sum(weights * one)) / total for one in along]
    second, third = np.zeros((3, 3)), np.zeros((3, 3, 3))
    # Sums, not products of matrices: those are added up in an order that depends on the number of threads.
    for i, j in combinations_with_replacement(range(3), 2):
        product = weights * along[i] * along[j]
        for a, b in permutations((i, j)):
            second[a, b] = np.sum(product)
        for k in range(j, 3):
            value = float(np.sum(product * along[k]))
            for one in permutations((i, j, k)):
                third[one] = value
    second += np.diag(np.square(spacing_mm)) / 12 * total
    # Of a body k times as large, moments of order n are k^(3 + n) times as large, and the mass k^3 times.
    second, third = second / total ** (5 / 3), third / total**2
    vector = np.einsum("iij->j", third)
    return {
        "trace": float(np.trace(second)),
        "minors": float((np.trace(second) ** 2 - np.sum(second**2)) / 2),
        "determinant": float(np.linalg.det(second)),
        "third_norm": float(np.sum(third**2)),
        "third_vector": float(vector @ vector),
        "third_along": float(vector @ second @ vector),
    }
