"""Candidate regions by shape: bright blobs at several scales, each with a region.

The scale-normalized Laplacian of Gaussian (Lindeberg, doi:10.1023/A:1008045108935), ``-sigma² ∇² (G_sigma * image)``,
peaks at the centre of a bright ball of radius ``sqrt(3) sigma``, with a value of 0.925 times its contrast. Unlike a
threshold it also finds what touches a vessel or the chest wall.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from storage.volume import FloatArray, Triple
from tasks.imaging.blob_finder import BlobFinder, Transfer, filtered

RADIUS_PER_SIGMA = float(np.sqrt(3.0))
BALL_RESPONSE = float(4 * np.pi * 3**1.5 * (2 * np.pi) ** -1.5 * np.exp(-1.5))
"""Response at the centre of a ball of radius sqrt(3) sigma and contrast 1: 0.925."""


class Settings(BlobFinder):
    """Which blobs are candidates; a ball of diameter d answers most at the sigma ``d / 3.46``."""

    kind: ClassVar[str] = "blob"
    radius_per_sigma: ClassVar[float] = RADIUS_PER_SIGMA
    unit_defaults: ClassVar[dict[str, dict[str, Any]]] = {
        "SUV": {"sigmas_mm": (), "min_contrast": 1.0, "clip": ()},
        "HU": {"sigmas_mm": (1.7, 2.4, 3.4, 4.8, 6.8, 9.0), "min_contrast": 150.0, "clip": (-1000.0, 200.0)},
        "arbitrary": {"sigmas_mm": (2.0, 4.0, 8.0), "min_contrast": 1.0, "clip": ()},
    }

    def responses(
        self, image: npt.NDArray[np.float32], *, sigmas_mm: tuple[float, ...], spacing_mm: Triple
    ) -> FloatArray:
        """Contrast of the ball that would answer so: ``sigma² k² exp(-sigma² k² / 2)`` with k in rad/mm."""
        answers = filtered(image, [_laplacian(sigma) for sigma in sigmas_mm], spacing_mm=spacing_mm)
        answers /= np.float32(BALL_RESPONSE)
        return answers


def _laplacian(sigma_mm: float) -> Transfer:
    def transfer(k2: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        q = np.float32(sigma_mm**2) * k2
        return np.asarray(q * np.exp(q * np.float32(-0.5)))

    return transfer
