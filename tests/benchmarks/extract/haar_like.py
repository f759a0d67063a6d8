"""All Haar-like features of many patches of 24×24 pixels beside scikit-image."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tests.benchmarks.extract.subject import Subject
from tests.benchmarks.row import Array, Row

COUNT, SIDE = 64, 24
SKIMAGE = ("type-2-x", "type-2-y", "type-3-x", "type-3-y", "type-4")


def patches(subject: Subject) -> Array:
    """Whole numbers, so that all sums are exact: ``(COUNT, SIDE, SIDE)``, float32."""
    slices = subject.patches().reshape(-1, 32, 32)
    return np.ascontiguousarray(slices[: COUNT * 10 : 10, :SIDE, :SIDE])


def ours(subject: Subject) -> Callable[[], Array]:
    from tasks.imaging.haar_features import haar_features, haar_like

    blocks, features = patches(subject), haar_features((SIDE, SIDE))
    return lambda: haar_like(blocks, features)


def theirs(subject: Subject) -> Callable[[], Array]:
    from skimage.feature import haar_like_feature, haar_like_feature_coord
    from skimage.transform import integral_image

    blocks = patches(subject)
    of_types = [haar_like_feature_coord(SIDE, SIDE, kind) for kind in SKIMAGE]
    places, kinds = (np.concatenate(part) for part in zip(*of_types, strict=True))

    def describe() -> Array:
        sums = (integral_image(block) for block in blocks)
        return np.stack([haar_like_feature(each, 0, 0, SIDE, SIDE, kinds, places) for each in sums])

    return describe


ROW = Row(
    work="haar_like",
    peer="scikit_image",
    ours=ours,
    theirs=theirs,
    tolerance=0.0,
    says=f"{COUNT} patches of {SIDE}×{SIDE} pixels, all 162,336 features of the five types of scikit-image, from "
    "patches on, in the same order and compared everywhere; both with the list of features made before",
    wanted=150.0,
)
