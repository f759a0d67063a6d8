"""Weights of a sampled Gaussian and of its derivatives along one axis."""

from __future__ import annotations

import numpy as np

from tasks.imaging.step import Index, Spacing

TRUNCATE = 4.0
"""A kernel ends so many standard deviations from its centre, as scipy has it."""
NARROWEST = 0.3
"""Standard deviation in voxels below which a derivative is the plain difference of neighbours."""


def reach(sigma: float, *, order: int = 0) -> int:
    """Voxels on either side of the centre, for a standard deviation in voxels."""
    return max(min(order, 1), int(TRUNCATE * sigma + 0.5))


def halo(sigma_mm: float, spacing_mm: Spacing, *, order: int = 0) -> Index:
    """How far a Gaussian, or its derivative, of a standard deviation in mm looks along each axis, in voxels."""
    return tuple(reach(sigma_mm / s, order=order) for s in spacing_mm)


def weights(sigma: float, *, order: int = 0) -> list[float]:
    """Weights for a sum over neighbours, first that before the voxel.

    Parameters
    ----------
    sigma
        Standard deviation in voxels.
    order
        0: smoothing, they sum to 1. 1 and 2: first and second derivative, per voxel and per voxel². Sampled derivatives
        of a narrow Gaussian are wrong by more than their value; these are scaled so that of 1, x and x² the derivatives
        are exact. From a sigma of one voxel on they equal scipy's to half a percent of the largest.
    """
    if order:
        sigma = max(sigma, NARROWEST)
    radius = reach(sigma, order=order)
    x = np.arange(-radius, radius + 1, dtype=np.float64)
    bell = np.exp(-0.5 * (x / max(sigma, 1e-3)) ** 2)
    bell /= bell.sum()
    if order == 0:
        return [float(w) for w in bell]
    if order == 1:
        slope = x * bell
        return [float(w) for w in slope / (slope @ x)]
    bend = (x**2 / sigma**2 - 1) * bell
    bend -= bend.sum() * bell
    return [float(w) for w in 2 * bend / (bend @ x**2)]
