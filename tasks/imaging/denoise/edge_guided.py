"""Edge-guided denoising: what is no edge is smoothed, and edges are kept as they are.

The gradient of a slightly smoothed image is compared with what noise alone would give there, which is known from the
weights that it is taken with. Where it is within that, the image is replaced by a smooth one; where it is far above,
nothing is touched; between, the two are mixed. In colour, edges are those of the luminance, for all channels alike.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from tasks.imaging import gaussian_weights
from tasks.imaging.denoise.gaussian import gaussian
from tasks.imaging.luminance import luminance
from tasks.imaging.noise import noise_level
from tasks.imaging.step import Array, Blocks, Facts, Index, Spacing, Step, View, floating


def edge_guided(
    array: Array,
    *,
    spacing_mm: Spacing,
    noise: float,
    sigma_mm: float = 1.5,
    edge_sigma_mm: float = 1.0,
    threshold: float = 6.0,
) -> Array:
    """Smooth where there is no edge; the border is mirrored.

    Parameters
    ----------
    array
        ``(y, x)`` or ``(z, y, x)``, perhaps with colour last.
    spacing_mm
        Along the spatial axes, in mm.
    noise
        Its standard deviation, in the image's unit; of 0 nothing is changed.
    sigma_mm
        Standard deviation of the Gaussian that smooths.
    edge_sigma_mm
        Standard deviation of the Gaussian whose derivatives find edges.
    threshold
        As in :func:`edge_share`.

    Returns
    -------
    numpy.ndarray
        float32, or float64 of float64.
    """
    values = floating(array)
    if noise <= 0:
        return values
    axes = len(spacing_mm)
    share = edge_share(
        luminance(values, axes), spacing_mm=spacing_mm, noise=noise, sigma_mm=edge_sigma_mm, threshold=threshold
    )
    smooth = gaussian(values, spacing_mm=spacing_mm, sigma_mm=sigma_mm)
    return np.asarray(smooth + share.reshape(share.shape + (1,) * (values.ndim - axes)) * (values - smooth))


def edge_share(grey: Array, *, spacing_mm: Spacing, noise: float, sigma_mm: float, threshold: float) -> Array:
    """How much of an edge each voxel is, from 0 to 1: ``m⁴ / (m⁴ + threshold⁴)``.

    ``m`` is the gradient's length with each component in standard deviations of what noise alone gives. Noise is taken
    to be independent from voxel to voxel; where it is not, ``threshold`` must be larger.
    """
    from tasks.imaging.kernels.separable import convolve

    total = np.zeros(grey.shape, dtype=floating(grey[:0]).dtype)
    for axis in range(grey.ndim):
        weights = [
            gaussian_weights.weights(sigma_mm / s, order=int(other == axis)) for other, s in enumerate(spacing_mm)
        ]
        slope = convolve(grey, weights)
        slope /= noise * np.prod([np.linalg.norm(row) for row in weights])
        total += np.square(slope, out=slope)
    np.square(total, out=total)
    return np.asarray(total / (total + threshold**4))


class Settings(Step):
    """Smoothing away from edges, by the noise that is measured in the image."""

    name: Literal["edge_guided"] = "edge_guided"
    sigma_mm: float = Field(default=1.5, gt=0, le=20, description="Of the Gaussian that smooths.")
    edge_sigma_mm: float = Field(default=1.0, gt=0, le=20, description="Of the Gaussian that finds edges.")
    threshold: float = Field(default=6.0, gt=0, le=100, description="Gradient of half an edge, over that of noise.")

    def halo(self, spacing_mm: Spacing) -> Index:
        """Where the larger kernel ends."""
        smooth = gaussian_weights.halo(self.sigma_mm, spacing_mm)
        edge = gaussian_weights.halo(self.edge_sigma_mm, spacing_mm, order=1)
        return tuple(max(pair) for pair in zip(smooth, edge, strict=True))

    def measure(self, blocks: Blocks, view: View) -> Facts:
        """The noise."""
        return {"noise": noise_level(blocks, view)}

    def apply(self, block: Array, view: View) -> Array:
        """Smooth the block where it has no edge."""
        return edge_guided(
            block, spacing_mm=view.spacing_mm, noise=view.measured["noise"], **self.model_dump(exclude={"name"})
        )
