"""N4 beside SimpleITK, which we wrap: the same estimate with the same settings, so no more than parity is expected.

On every fourth voxel, with a bias field laid over: the whole volume would take minutes and tell the same.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tests.benchmarks.row import Array, Row

SHRINK, ITERATIONS, CONVERGENCE = 2, (20, 20, 20), 0.001


def biased(volume: Array) -> Array:
    """The volume made small and positive, brighter on one side."""
    values = volume[::4, ::4, ::4].astype(np.float32) + 1024
    return values * np.linspace(0.7, 1.3, values.shape[2], dtype=np.float32)


def ours(volume: Array) -> Callable[[], Array]:
    from tasks.imaging.standardize.n4 import bias_field

    values, spacing = biased(volume), (1.0, 1.0, 1.0)
    return lambda: bias_field(values, spacing_mm=spacing, shrink=SHRINK, iterations=ITERATIONS, convergence=CONVERGENCE)


def theirs(volume: Array) -> Callable[[], Array]:
    import SimpleITK as sitk

    values = biased(volume)

    def estimate() -> Array:
        image = sitk.GetImageFromArray(values)
        mask = sitk.OtsuThreshold(image, 0, 1)
        corrector = sitk.N4BiasFieldCorrectionImageFilter()
        corrector.SetMaximumNumberOfIterations(ITERATIONS)
        corrector.SetConvergenceThreshold(CONVERGENCE)
        corrector.Execute(sitk.Shrink(image, [SHRINK] * 3), sitk.Shrink(mask, [SHRINK] * 3))
        return np.asarray(sitk.GetArrayFromImage(sitk.Exp(corrector.GetLogBiasFieldAsImage(image))))

    return estimate


ROW = Row(
    work="n4",
    peer="simpleitk",
    ours=ours,
    theirs=theirs,
    tolerance=1e-4,
    says="the bias field of 75×128×128 voxels, three levels of at most 20 iterations, compared everywhere",
    wanted=1.0,
)
