"""Gaussian smoothing beside scipy's: the same kernel, cut off at 4 standard deviations, and the same border."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tests.benchmarks.row import Array, Row

SIGMA = 1.5


def ours(volume: Array) -> Callable[[], Array]:
    from tasks.imaging.denoise.gaussian import gaussian

    return lambda: gaussian(volume, spacing_mm=(1.0, 1.0, 1.0), sigma_mm=SIGMA)


def theirs(volume: Array) -> Callable[[], Array]:
    from scipy import ndimage

    return lambda: np.asarray(ndimage.gaussian_filter(volume, SIGMA, output=np.float32, mode="reflect", truncate=4.0))


ROW = Row(
    work="gaussian",
    peer="scipy",
    ours=ours,
    theirs=theirs,
    tolerance=0.01,
    says="sigma of 1.5 voxels, int16 to float32, border mirrored by both, compared everywhere",
    wanted=5.0,
)
