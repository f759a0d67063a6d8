"""Candidate regions by the difference of two Gaussians: what a narrow one sees and a wide one does not.

The classical approximation of the Laplacian of Gaussian (Lowe, doi:10.1023/B:VISI.0000029664.99615.94). Its wider ring
averages more of the surroundings: it is steadier in noise and blunter near neighbours.

Smoothed with sigma, the centre of a ball of radius r and contrast 1 is ``P(r / sigma)``, ``P(u) = erf(u / √2) -
√(2 / π) u exp(-u² / 2)``. The difference of sigma and ``ratio`` sigma is largest where both derivatives by r agree,
``r = sigma √(6 ln(ratio) / (1 - ratio⁻²))``, and answers are divided by its value there.
"""

from __future__ import annotations

from math import erf, exp, log, pi, sqrt
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from storage.volume import FloatArray, Triple
from tasks.imaging.blob_finder import BlobFinder, Transfer, filtered

RATIO = 1.6
"""Of the wide Gaussian to the narrow one: closest to the Laplacian (Marr and Hildreth, doi:10.1098/rspb.1980.0020)."""
RADIUS_PER_SIGMA = sqrt(6 * log(RATIO) / (1 - RATIO**-2))


class Settings(BlobFinder):
    """Which blobs are candidates; ``sigmas_mm`` are of the narrow Gaussian, a ball of diameter d answers at d / 4.3."""

    kind: ClassVar[str] = "dog"
    radius_per_sigma: ClassVar[float] = RADIUS_PER_SIGMA
    unit_defaults: ClassVar[dict[str, dict[str, Any]]] = {
        "SUV": {"sigmas_mm": (3.0, 5.0, 8.0, 13.0, 20.0), "min_contrast": 1.0, "clip": ()},
        "HU": {"sigmas_mm": (1.4, 2.0, 2.8, 4.0, 5.6, 7.5), "min_contrast": 150.0, "clip": (-1000.0, 200.0)},
        "arbitrary": {"sigmas_mm": (1.6, 3.2, 6.4), "min_contrast": 1.0, "clip": ()},
    }

    def responses(
        self, image: npt.NDArray[np.float32], *, sigmas_mm: tuple[float, ...], spacing_mm: Triple
    ) -> FloatArray:
        """Contrast of the ball that would answer so, for each scale."""
        answers = filtered(image, [_difference(sigma) for sigma in sigmas_mm], spacing_mm=spacing_mm)
        answers /= np.float32(ball_response())
        return answers


def ball_response() -> float:
    """Answer at the centre of a ball of contrast 1 whose radius answers most."""
    return _ball(RADIUS_PER_SIGMA) - _ball(RADIUS_PER_SIGMA / RATIO)


def _ball(u: float) -> float:
    """Share of a three-dimensional Gaussian within ``u`` standard deviations."""
    return erf(u / sqrt(2)) - sqrt(2 / pi) * u * exp(-(u**2) / 2)


def _difference(sigma_mm: float) -> Transfer:
    def transfer(k2: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        q = np.float32(-0.5 * sigma_mm**2) * k2
        return np.asarray(np.exp(q) - np.exp(q * np.float32(RATIO**2)))

    return transfer
