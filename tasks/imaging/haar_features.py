"""Haar-like features: sums over neighbouring boxes of equal size, some taken as positive and some as negative.

A *feature* is a pattern (:mod:`tasks.imaging.haar_patterns`) with a place and a box size inside a *block* of fixed
size. Values, plain sums of voxels, and the order in which features are enumerated are those of
``skimage.feature.haar_like_feature``.

References
----------
Viola & Jones 2004, doi:10.1023/B:VISI.0000013087.49260.fb; Lienhart & Maydt 2002, doi:10.1109/ICIP.2002.1038171
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel

from tasks.imaging.haar_patterns import PATTERNS, Integers, boxes_along, patterns_of, taps
from tasks.imaging.integral_image import integral_image
from tasks.imaging.step import Array
from tasks.threads import over_slabs

MOST_FEATURES = 20_000_000
"""More than this are a mistake in the limits: their places alone would take a gigabyte."""
FLAT = 1e-9
"""A standard deviation below this share of the largest value is what rounding leaves of nothing."""


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
            boxes = boxes_along(one.pattern, len(shape))
            inside = len(one.at) == len(one.size) == len(shape) and all(
                a >= 0 and s > 0 and a + k * s <= n for a, s, k, n in zip(one.at, one.size, boxes, shape, strict=True)
            )
            if not inside:
                raise ValueError(f"expected boxes inside a block of {shape}; got {one}")
        names, flat = list(PATTERNS), (0,) * (3 - len(shape))
        at = np.array([flat + one.at for one in placed], dtype=np.int64).reshape(-1, 3)
        size = np.array([(1,) * len(flat) + one.size for one in placed], dtype=np.int64).reshape(-1, 3)
        return cls(shape, np.array([names.index(one.pattern) for one in placed], dtype=np.int64), at, size, balanced)


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
    if min(step, smallest, size_step) < 1:
        raise ValueError(f"expected limits of at least 1 voxel; got {step}, {smallest} and {size_step}")
    names, nothing = list(PATTERNS), np.zeros((0, 3), dtype=np.int64)
    found = [(nothing[:, 0], nothing, nothing)]
    for name in patterns_of(len(shape)) if patterns is None else patterns:
        sides = [
            _sides(n, k, step, smallest, size_step) for n, k in zip(shape, boxes_along(name, len(shape)), strict=True)
        ]
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
    from tasks.imaging.kernels.haar_features import LANES, weigh_boxes

    shape = blocks.shape[1:]
    features = haar_features(shape) if features is None else features
    if shape != features.shape:
        raise ValueError(f"expected blocks of {features.shape}; got {shape}")
    volumes = blocks.reshape(len(blocks), *(1,) * (3 - len(shape)), *shape)
    groups = _side_by_side(integral_image(_by_contrast(volumes) if by_contrast else volumes, 3), LANES)
    out = np.empty((len(features), len(blocks)), np.float64 if blocks.dtype == np.float64 else np.float32)
    read = taps(balanced=features.balanced)
    pattern, at, size = (np.ascontiguousarray(part) for part in (features.pattern, features.at, features.size))
    over_slabs(lambda start, stop: weigh_boxes(groups, pattern, at, size, read, out, start, stop), len(out), threads)
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


def _side_by_side(integrals: Array, lanes: int) -> Array:
    """Integral images ``(n, z, y, x)`` in groups ``(groups, z, y, x, lanes)``, the last one filled up with zeros."""
    groups = -(-len(integrals) // lanes)
    filled = np.zeros((groups * lanes, *integrals.shape[1:]))
    filled[: len(integrals)] = integrals
    return np.ascontiguousarray(np.moveaxis(filled.reshape(groups, lanes, *integrals.shape[1:]), 1, -1))


def _sides(length: int, boxes: int, step: int, smallest: int, size_step: int) -> Integers:
    """First voxel and box size of all that fit into a length: ``(count, 2)``."""
    fitting = [
        (at, size) for at in range(0, length, step) for size in range(smallest, (length - at) // boxes + 1, size_step)
    ]
    return np.array(fitting, dtype=np.int64).reshape(-1, 2)
