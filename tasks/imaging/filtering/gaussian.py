"""The Laplacian of a Gaussian (L6PA) of the IBSI manual on filters (arXiv:2006.05470)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from storage.errors import CaseError
from storage.volume import FloatArray
from tasks.imaging.filtering.boundary import Boundary
from tasks.imaging.filtering.separable import Kernel, convolved

TRUNCATE = 4.0
"""Standard deviations that the kernels reach (WGPM)."""
LEAST_SIGMA = 0.5
"""Voxels: a narrower Gaussian is lost between the samples."""


def sigmas(sigma_mm: float, spacing_mm: Sequence[float]) -> list[float]:
    """The standard deviation in voxels along each axis. ``CaseError`` when it is less than half a voxel."""
    if sigma_mm < LEAST_SIGMA * max(spacing_mm):
        raise CaseError(
            f"sigma of {sigma_mm:g} mm is less than half a voxel of {max(spacing_mm):g} mm: interpolate to smaller "
            "voxels, or filter slice-wise"
        )
    return [sigma_mm / spacing for spacing in spacing_mm]


def reach(sigma: float) -> int:
    """Voxels that the kernels reach to either side."""
    return int(np.floor(TRUNCATE * sigma + 0.5))


def laplacian_of_gaussian(image: FloatArray, sigma: Sequence[float], boundary: Boundary) -> FloatArray:
    """The Laplacian of the image after a Gaussian.

    The standard takes derivatives by voxels. Where these are no cubes, ours are by the edge of a cube of equal volume,
    so that the response is that of one pattern in the patient whatever the voxels are.

    Parameters
    ----------
    sigma
        Standard deviation in voxels along (z, y, x), or along (y, x) in each slice by itself.
    """
    made = [_kernels(one) for one in sigma]
    cube = float(np.prod(sigma)) ** (1 / len(sigma))
    total = np.zeros_like(image)
    for axis, one in enumerate(sigma):
        kernels = [curved if a == axis else smooth for a, (smooth, curved) in enumerate(made)]
        # An edge is to the cube's edge as the cube's sigma in voxels is to that along the axis.
        total += (one / cube) ** 2 * convolved(image, kernels, boundary)
    return total


def _kernels(sigma: float) -> tuple[Kernel, Kernel]:
    """A sampled Gaussian, and its second derivative without what truncation leaves of its sum."""
    at = np.arange(-reach(sigma), reach(sigma) + 1)
    smooth = np.exp(-(at**2) / (2 * sigma**2)) / (np.sqrt(2 * np.pi) * sigma)
    curved = (at**2 / sigma**2 - 1) / sigma**2 * smooth
    curved -= smooth * curved.sum() / smooth.sum()
    return tuple(smooth.tolist()), tuple(curved.tolist())
