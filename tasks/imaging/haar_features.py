"""Haar-like features: sums over neighbouring boxes of equal size, some taken as positive and some as negative.

Words: a *pattern* says how many boxes lie along each axis and what each counts; a *feature* is a pattern with a place
and a box size inside a *block* of fixed size. Patterns of pictures and of volumes:

- ``two_x``, ``two_y``, ``two_z``: an edge: the further box less the nearer one;
- ``three_x``, ``three_y``, ``three_z``: a line: the middle box less the outer ones;
- ``four_yx``, ``four_zx``, ``four_zy``: a diagonal: boxes side by side in a plane, the mixed ones less the others;
- ``eight``: octants, a corner: those with an odd number of further axes less the others.

Signs, the order in which features are enumerated, and values, plain sums of voxels, are those of
``skimage.feature.haar_like_feature``. A middle box counts once, as in Viola & Jones 2004; with ``balanced`` twice, as
in Lienhart & Maydt 2002, so that a flat block gives 0.

References
----------
Viola & Jones 2004, doi:10.1023/B:VISI.0000013087.49260.fb; Lienhart & Maydt 2002, doi:10.1109/ICIP.2002.1038171
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel

from tasks.imaging.integral_image import integral_image
from tasks.imaging.step import Array
from tasks.threads import over_slabs

Integers = npt.NDArray[np.int64]
Weights = npt.NDArray[np.float64]

MOST_FEATURES = 20_000_000
"""More than this are a mistake in the limits: their places alone would take a gigabyte."""
FLAT = 1e-9
"""A standard deviation below this share of the largest value is what rounding leaves of nothing."""


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


class Placed(BaseModel, frozen=True, extra="forbid"):
    """One feature as plain data: pattern, first voxel and voxels of one box, along the axes of the block."""

    pattern: str
    at: tuple[int, ...]
    size: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class HaarFeatures:
    """Features of blocks of one size.

    Attributes
    ----------
    shape
        Of the block, ``(y, x)`` or ``(z, y, x)``, in voxels.
    pattern
        Index in ``PATTERNS``, ``(m,)``.
    at, size
        First voxel, and voxels of one box along ``(z, y, x)``: ``(m, 3)``. A picture has one slice.
    balanced
        Whether the middle one of three boxes counts twice.
    """

    shape: tuple[int, ...]
    pattern: Integers
    at: Integers
    size: Integers
    balanced: bool = False

    def __len__(self) -> int:
        return len(self.pattern)

    def chosen(self, numbers: npt.ArrayLike) -> HaarFeatures:
        """Some of them, by their places in the list."""
        kept = np.asarray(numbers, dtype=np.intp)
        return HaarFeatures(self.shape, self.pattern[kept], self.at[kept], self.size[kept], self.balanced)

    def placed(self, number: int) -> Placed:
        """One of them as plain data."""
        axes = slice(3 - len(self.shape), None)
        at, size = self.at[number, axes].tolist(), self.size[number, axes].tolist()
        return Placed(pattern=list(PATTERNS)[self.pattern[number]], at=tuple(at), size=tuple(size))

    @classmethod
    def of(cls, shape: tuple[int, ...], placed: Sequence[Placed], *, balanced: bool = False) -> HaarFeatures:
        """From plain data. Raises ``ValueError`` for an unknown pattern, and for boxes that leave the block."""
        for one in placed:
            boxes = _boxes(one.pattern, len(shape))
            inside = len(one.at) == len(one.size) == len(shape) and all(
                a >= 0 and s > 0 and a + k * s <= n for a, s, k, n in zip(one.at, one.size, boxes, shape, strict=True)
            )
            if not inside:
                raise ValueError(f"expected boxes inside a block of {shape}; got {one}")
        names, flat = list(PATTERNS), (0,) * (3 - len(shape))
        at = np.array([flat + one.at for one in placed], dtype=np.int64).reshape(-1, 3)
        size = np.array([(1,) * len(flat) + one.size for one in placed], dtype=np.int64).reshape(-1, 3)
        return cls(shape, np.array([names.index(one.pattern) for one in placed], dtype=np.int64), at, size, balanced)


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
            found[tuple(slice(e, e + n) for e, n in zip(end, boxes.shape, strict=True))] += boxes * (-1) ** (
                1 + sum(end)
            )
        corners.append(np.argwhere(found))
        weights.append(found[found != 0])
        first.append(first[-1] + len(weights[-1]))
    return np.array(first, dtype=np.int64), np.concatenate(corners, dtype=np.int64), np.concatenate(weights)


def haar_features(
    shape: tuple[int, ...],
    patterns: Iterable[str] | None = None,
    *,
    step: int = 1,
    smallest: int = 1,
    size_step: int = 1,
    balanced: bool = False,
) -> HaarFeatures:
    """All features of a block, pattern by pattern, then by place (z, y, x), then by size, the last axis first to vary.

    Parameters
    ----------
    shape
        Of the block, ``(y, x)`` or ``(z, y, x)``, in voxels.
    patterns
        Names; ``None``: all that have a meaning in so many dimensions, in the order of ``PATTERNS``.
    step
        Voxels from one place to the next, along each axis.
    smallest, size_step
        Voxels of a box's smallest side, and to the next larger one. Along an axis on which a picture has one slice a
        box has one voxel.
    balanced
        Whether the middle one of three boxes counts twice.

    Raises
    ------
    ValueError
        For an unknown pattern, for limits below 1, and when these leave more than ``MOST_FEATURES``.
    """
    if patterns is None:
        patterns = OF_PICTURES if len(shape) == 2 else tuple(PATTERNS)
    if min(step, smallest, size_step) < 1:
        raise ValueError(f"expected limits of at least 1 voxel; got {step}, {smallest} and {size_step}")
    names, found = list(PATTERNS), []
    for name in patterns:
        sides = [_sides(n, k, step, smallest, size_step) for n, k in zip(shape, _boxes(name, len(shape)), strict=True)]
        if (count := prod(len(side) for side in sides)) > MOST_FEATURES:
            raise ValueError(f"{count} features {name!r} in a block of {shape}; expected at most {MOST_FEATURES}")
        sides = [np.array([[0, 1]])] * (3 - len(shape)) + sides
        index = np.indices([len(side) for side in sides]).reshape(3, -1)
        at, size = (np.stack([side[i, end] for side, i in zip(sides, index, strict=True)], axis=1) for end in (0, 1))
        order = np.lexsort([*size.T[::-1], *at.T[::-1]])
        found.append((np.full(len(order), names.index(name)), at[order], size[order]))
    pattern, at, size = (np.concatenate(part) for part in zip(*found, strict=True))
    return HaarFeatures(tuple(shape), pattern, at, size, balanced)


def haar_like(
    blocks: Array, features: HaarFeatures | None = None, *, by_contrast: bool = False, threads: int | None = None
) -> Array:
    """Values of features on many blocks.

    Parameters
    ----------
    blocks
        ``(n, y, x)`` or ``(n, z, y, x)`` of the features' shape, of any real type, finite.
    features
        ``None``: all of :func:`haar_features`.
    by_contrast
        Of the block less its mean, over its standard deviation and its number of voxels (Viola & Jones 2004, section
        5.2): neither brightness nor contrast matter, and features of a larger image of the same are about the same.
        A flat block gives 0.
    threads
        ``None``: the budget of this process. The result does not depend on it.

    Returns
    -------
    numpy.ndarray
        ``(n, m)``, float64 of float64, else float32, in which sums of whole numbers up to 2**24 are exact. All values
        of one feature lie side by side in memory, as what selects among features needs them.

    Raises
    ------
    ValueError
        When the blocks are not of the features' shape.
    """
    from tasks.imaging.kernels.haar_features import weigh_boxes

    shape = blocks.shape[1:]
    features = haar_features(shape) if features is None else features
    if shape != features.shape:
        raise ValueError(f"expected blocks of {features.shape}; got {shape}")
    volumes = blocks.reshape(len(blocks), *(1,) * (3 - len(shape)), *shape)
    integrals = integral_image(_by_contrast(volumes) if by_contrast else volumes, 3)
    places = np.ascontiguousarray(np.moveaxis(integrals, 0, -1), dtype=np.float64)
    out = np.empty((len(features), len(blocks)), np.float64 if blocks.dtype == np.float64 else np.float32)
    read = taps(balanced=features.balanced)
    pattern, at, size = (np.ascontiguousarray(part) for part in (features.pattern, features.at, features.size))
    over_slabs(lambda start, stop: weigh_boxes(places, pattern, at, size, read, out, start, stop), len(out), threads)
    return out.T


def _by_contrast(volumes: Array) -> Array:
    """Each volume less its mean, over its standard deviation and number of voxels; 0 where it is flat."""
    centred = np.asarray(volumes, dtype=np.float64).reshape(len(volumes), -1)
    highest = np.abs(centred).max(axis=1, initial=0.0)
    centred = centred - centred.mean(axis=1, keepdims=True)
    deviation = centred.std(axis=1)
    scale = np.zeros_like(deviation)
    np.divide(1.0, deviation * centred.shape[1], out=scale, where=deviation > FLAT * highest)
    return np.asarray((centred * scale[:, None]).reshape(volumes.shape))


def _boxes(pattern: str, axes: int) -> tuple[int, ...]:
    """How many boxes of a pattern lie along each axis of a block."""
    if axes not in (2, 3) or pattern not in (OF_PICTURES if axes == 2 else PATTERNS):
        raise ValueError(f"no pattern {pattern!r} in {axes} dimensions; choose from: {', '.join(PATTERNS)}")
    return PATTERNS[pattern].shape[3 - axes :]


def _sides(length: int, boxes: int, step: int, smallest: int, size_step: int) -> Integers:
    """First voxel and box size of all that fit into a length: ``(count, 2)``."""
    fitting = [
        (at, size) for at in range(0, length, step) for size in range(smallest, (length - at) // boxes + 1, size_step)
    ]
    return np.array(fitting, dtype=np.int64).reshape(-1, 2)
