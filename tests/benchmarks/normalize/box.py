"""The mean of a box beside scipy's ``uniform_filter``: the same mirrored border."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tests.benchmarks.row import Array, Row

SIZE = 5


def ours(volume: Array) -> Callable[[], Array]:
    from tasks.imaging.denoise.mean import mean

    return lambda: mean(volume, spacing_mm=(1.0, 1.0, 1.0), size=SIZE)


def theirs(volume: Array) -> Callable[[], Array]:
    from scipy import ndimage

    return lambda: np.asarray(ndimage.uniform_filter(volume, SIZE, output=np.float32, mode="reflect"))


ROW = Row(
    work="box",
    peer="scipy",
    ours=ours,
    theirs=theirs,
    tolerance=0.01,
    says="mean of 5×5×5 voxels, int16 to float32, border mirrored by both, compared everywhere",
    wanted=5.0,
)
