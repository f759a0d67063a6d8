"""Patterns of Haar-like features: boxes of equal size side by side, some taken as positive and some as negative.

- ``two_x``, ``two_y``, ``two_z``: an edge: the further box less the nearer one;
- ``three_x``, ``three_y``, ``three_z``: a line: the middle box less the outer ones;
- ``four_yx``, ``four_zx``, ``four_zy``: a diagonal: boxes side by side in a plane, the mixed ones less the others;
- ``eight``: octants, a corner: those with an odd number of further axes less the others.

Signs are those of ``skimage.feature.haar_like_feature``. A middle box counts once, as in Viola & Jones 2004; where
features are *balanced* twice, as in Lienhart & Maydt 2002, so that a flat block gives 0.

References
----------
Viola & Jones 2004, doi:10.1023/B:VISI.0000013087.49260.fb; Lienhart & Maydt 2002, doi:10.1109/ICIP.2002.1038171
"""

from __future__ import annotations

from itertools import product

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]
Weights = npt.NDArray[np.float64]


def _weights(boxes: tuple[int, int, int]) -> Weights:
    """What each box counts, ``(z, y, x)``: signs alternate along each axis, and the first is negative."""
    return np.asarray(-((-1.0) ** np.indices(boxes).sum(axis=0)))


PATTERNS: dict[str, Weights] = {
    name: _weights(boxes)
    for name, boxes in {
        "two_x": (1, 1, 2),
        "two_y": (1, 2, 1),
        "three_x": (1, 1, 3),
        "three_y": (1, 3, 1),
        "four_yx": (1, 2, 2),
        "two_z": (2, 1, 1),
        "three_z": (3, 1, 1),
        "four_zx": (2, 1, 2),
        "four_zy": (2, 2, 1),
        "eight": (2, 2, 2),
    }.items()
}
"""Weights of the boxes, ``(z, y, x)``."""
OF_PICTURES = ("two_x", "two_y", "three_x", "three_y", "four_yx")
"""The patterns in two dimensions: scikit-image's type-2-x, type-2-y, type-3-x, type-3-y and type-4."""


def patterns_of(axes: int) -> tuple[str, ...]:
    """All patterns that have a meaning in 2 or 3 dimensions, in the order of ``PATTERNS``."""
    if axes not in (2, 3):
        raise ValueError(f"expected blocks of 2 or 3 dimensions; got {axes}")
    return OF_PICTURES if axes == 2 else tuple(PATTERNS)


def boxes_along(pattern: str, axes: int) -> tuple[int, ...]:
    """How many boxes of a pattern lie along each of 2 or 3 axes; ``ValueError`` when it has no meaning there."""
    if pattern not in (choices := patterns_of(axes)):
        raise ValueError(f"no pattern {pattern!r} in {axes} dimensions; choose from: {', '.join(choices)}")
    return PATTERNS[pattern].shape[3 - axes :]


def box_weights(pattern: str, *, balanced: bool = False) -> Weights:
    """What each box of a pattern counts, ``(z, y, x)``; ``balanced``: the middle one of three twice."""
    weights = PATTERNS[pattern]
    return np.where(weights > 0, 2.0, weights) if balanced and weights.size == 3 else weights


def taps(*, balanced: bool = False) -> tuple[Integers, Integers, Weights]:
    """Where an integral image is read for each pattern, and with which weights.

    Returns
    -------
    first, corners, weights
        First tap of each pattern and, last, their number; corners of boxes ``(taps, 3)``, counted in boxes; weights.
    """
    first, corners, weights = [0], [], []
    for name in PATTERNS:
        boxes = box_weights(name, balanced=balanced)
        found = np.zeros(np.add(boxes.shape, 1))
        for end in product((0, 1), repeat=3):
            part = tuple(slice(e, e + n) for e, n in zip(end, boxes.shape, strict=True))
            found[part] += boxes * (-1) ** (3 - sum(end))
        corners.append(np.argwhere(found))
        weights.append(found[found != 0])
        first.append(first[-1] + len(weights[-1]))
    return np.array(first, dtype=np.int64), np.concatenate(corners, dtype=np.int64), np.concatenate(weights)
