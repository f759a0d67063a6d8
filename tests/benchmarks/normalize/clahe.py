"""CLAHE beside scikit-image, which we wrap: slice by slice with the same tiles, so no more than parity is expected."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tests.benchmarks.row import Array, Row

SLICES, TILES, CLIP_LIMIT = 32, 8, 0.01


def ours(volume: Array) -> Callable[[], Array]:
    from tasks.imaging.contrast.clahe import clahe

    values = volume[:SLICES].astype(np.float32)
    return lambda: clahe(values, tiles=TILES, clip_limit=CLIP_LIMIT)


def theirs(volume: Array) -> Callable[[], Array]:
    from skimage.exposure import equalize_adapthist

    values = volume[:SLICES].astype(np.float32)
    kernel = [side // TILES for side in values.shape[1:]]

    def equalize(plane: Array) -> Array:
        share = (plane - plane.min()) / (plane.max() - plane.min())
        return np.asarray(equalize_adapthist(share, kernel_size=kernel, clip_limit=CLIP_LIMIT))

    return lambda: np.stack([equalize(plane) for plane in values])


ROW = Row(
    work="clahe",
    peer="scikit_image",
    ours=ours,
    theirs=theirs,
    tolerance=1e-5,
    says=f"{SLICES} slices of 512×512, float32, 8×8 tiles, compared everywhere",
    wanted=1.0,
)
