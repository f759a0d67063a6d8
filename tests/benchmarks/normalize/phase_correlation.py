"""The shift between two volumes from their phases, beside scikit-image: to a whole voxel, and the same shift."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tests.benchmarks.row import Array, Row

SHIFT = (5, -12, 20)


def pair(volume: Array) -> tuple[Array, Array]:
    """The volume, and as it lies after a shift."""
    values = volume.astype(np.float32)
    return values, np.roll(values, SHIFT, axis=(0, 1, 2))


def ours(volume: Array) -> Callable[[], Array]:
    from tasks.imaging.spectrum.phase_correlation import phase_correlation

    fixed, moved = pair(volume)
    return lambda: np.asarray(phase_correlation(fixed, moved).voxels)


def theirs(volume: Array) -> Callable[[], Array]:
    from skimage.registration import phase_cross_correlation

    fixed, moved = pair(volume)
    return lambda: np.asarray(phase_cross_correlation(fixed, moved, normalization="phase")[0])


ROW = Row(
    work="phase_correlation",
    peer="scikit_image",
    ours=ours,
    theirs=theirs,
    tolerance=0.0,
    says=f"float32, shifted by {SHIFT} voxels, to a whole voxel, the shifts are compared",
    wanted=1.4,
)
