"""Candidate regions by curvature: bright along every direction, unlike vessels and plates.

The Laplacian adds up the three principal curvatures and so answers to a vessel with two thirds of a ball's answer.
Li's dot enhancement filter (doi:10.1118/1.1581411) takes ``λ₃² / λ₁`` of the curvatures ``λ₁ ≥ λ₂ ≥ λ₃``, 0 unless all
three are those of something bright: a ball keeps its answer, a line or a plate has none.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from storage.volume import FloatArray, Triple
from tasks.imaging.blob_finder import BlobFinder
from tasks.imaging.candidates.blobs import BALL_RESPONSE, RADIUS_PER_SIGMA


class Settings(BlobFinder):
    """Which blobs are candidates; a ball of diameter d answers most at the sigma ``d / 3.46``."""

    kind: ClassVar[str] = "hessian"
    radius_per_sigma: ClassVar[float] = RADIUS_PER_SIGMA
    unit_defaults: ClassVar[dict[str, dict[str, Any]]] = {
        "SUV": {"sigmas_mm": (4.0, 6.0, 10.0, 16.0, 24.0), "min_contrast": 1.0, "clip": ()},
        "HU": {"sigmas_mm": (1.7, 2.4, 3.4, 4.8, 6.8, 9.0), "min_contrast": 100.0, "clip": (-1000.0, 200.0)},
        "arbitrary": {"sigmas_mm": (2.0, 4.0, 8.0), "min_contrast": 1.0, "clip": ()},
    }

    def responses(
        self, image: npt.NDArray[np.float32], *, sigmas_mm: tuple[float, ...], spacing_mm: Triple
    ) -> FloatArray:
        """Contrast of the ball that would answer so: each of its curvatures is a third of its Laplacian."""
        from tasks.imaging.kernels.hessian import add_blob
        from tasks.imaging.ridges import strongest

        answers = np.empty((len(sigmas_mm), *image.shape), dtype=np.float32)
        for i, sigma in enumerate(sigmas_mm):
            answers[i] = strongest(image, spacing_mm=spacing_mm, scales_mm=(sigma,), ridges="bright", add=add_blob)
        answers *= np.float32(3.0 / BALL_RESPONSE)
        return answers
