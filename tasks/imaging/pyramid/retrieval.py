"""Which regions of the cohort look most like this one: coarse to fine, and never another answer than a full search.

Likeness is normalized cross-correlation: 1 for the same structure, whatever its brightness and contrast, 0 for none.

Each region, brought to mean 0 and length 1, is kept as its Haar pyramid. Since that transform keeps products, the
likeness of two regions is the sum of their products level by level; and of the levels not looked at yet, each band adds
at most the product of its two lengths (Cauchy and Schwarz). So the coarse level, with the bands' lengths, bounds the
likeness of every region at the price of some numbers each. The most promising ones, the *shortlist*, are compared in
full; whatever cannot reach the k-th of them is dropped, and so on level by level.

References
----------
Hel-Or & Hel-Or 2005, doi:10.1109/TPAMI.2005.184 (bounds by projection on a Haar-like basis); Ouyang et al. 2012,
doi:10.1109/TPAMI.2011.106 (searches that equal the full one)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tasks.imaging.haar import haar_levels
from tasks.imaging.step import Array

Floats = npt.NDArray[np.float32]

COARSEST = 4
"""The coarse level has at most so many voxels along each axis."""
SHORTLIST = 64
"""Regions at least that are compared in full at once: enough for a good k-th, few enough to cost nothing."""
ROUNDING = 1e-5
"""A bound this close may be reached: float32 products are not exact."""


@dataclass(frozen=True, eq=False)
class Found:
    """The most similar regions, best first; of equals, the one that came first into the index.

    Attributes
    ----------
    positions
        In the order in which the index was built.
    scores
        Normalized cross-correlation, -1 to 1.
    compared
        How many regions had to be compared in full.
    """

    positions: npt.NDArray[np.int64]
    scores: Floats
    compared: int


@dataclass(frozen=True, eq=False)
class RegionIndex:
    """Regions of one shape and spacing, to be searched.

    Attributes
    ----------
    shape
        Of a region: ``(y, x)`` or ``(z, y, x)``.
    levels
        Haar coefficients ``(region, …)``: the coarse level, then the differences of each finer one.
    lengths
        Of each band of differences, ``(region, finer level, band)``.
    """

    shape: tuple[int, ...]
    levels: tuple[Floats, ...]
    lengths: Floats

    @classmethod
    def of(cls, regions: Iterable[Array]) -> RegionIndex:
        """Index regions ``(y, x)`` or ``(z, y, x)``, grey, all of one shape.

        Raises
        ------
        ValueError
            When there is none, or their shapes differ.
        """
        shapes, taken_apart = set(), []
        for region in regions:
            shapes.add(region.shape)
            taken_apart.append(_take_apart(region))
        if len(shapes) != 1:
            raise ValueError(f"expected regions of one shape; got {sorted(shapes) or 'none'}")
        levels = tuple(np.stack(rows) for rows in zip(*(levels for levels, _ in taken_apart), strict=True))
        return cls(shapes.pop(), levels, np.stack([lengths for _, lengths in taken_apart]))

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> RegionIndex:
        """The index of which :meth:`arrays` were kept."""
        levels = tuple(arrays[f"level_{number}"] for number in range(len(arrays) - 2))
        return cls(tuple(int(n) for n in arrays["shape"]), levels, arrays["lengths"])

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """All that is in the index, for ``np.savez``."""
        levels = {f"level_{number}": level for number, level in enumerate(self.levels)}
        return {"shape": np.array(self.shape), "lengths": self.lengths, **levels}

    def __len__(self) -> int:
        return len(self.lengths)

    def search(self, region: Array, k: int, *, among: npt.NDArray[np.bool_] | None = None) -> Found:
        """The k regions most similar to this one; fewer where there are fewer.

        Parameters
        ----------
        region
            Of the index's shape. A constant region is like none: all scores are 0.
        among
            Which regions count, e.g. only those of other patients; ``None``: all.

        Raises
        ------
        ValueError
            When the shape differs, ``k`` is below 1, or ``among`` does not fit.
        """
        if region.shape != self.shape or k < 1:
            raise ValueError(f"expected a region of {self.shape} and k of 1 or more; got {region.shape}, {k}")
        if among is not None and among.shape != (len(self),):
            raise ValueError(f"expected among of {len(self)} regions; got {among.shape}")
        levels, lengths = _take_apart(region)
        left = np.arange(len(self)) if among is None else np.flatnonzero(among)
        scores = _products(self.levels[0], levels[0])
        within_reach = self._worst_of_best(left, scores, levels, lengths, k)
        for finer in range(len(levels)):
            if finer:
                scores[left] += _products(self.levels[finer][left], levels[finer])
            most = scores[left] + self._at_most(left, lengths, finer)
            left = left[most >= within_reach - ROUNDING]
        best = left[np.lexsort((left, -scores[left]))][:k]
        return Found(best, scores[best], len(left))

    def _worst_of_best(
        self, left: npt.NDArray[np.int64], coarse: Floats, levels: tuple[Floats, ...], lengths: Floats, k: int
    ) -> float:
        """A likeness that k regions reach: the k-th best of the shortlist."""
        if len(left) <= k:
            return -np.inf
        count = min(len(left), max(SHORTLIST, 4 * k))
        most = coarse[left] + self._at_most(left, lengths, 0)
        shortlist = left[np.argpartition(-most, count - 1)[:count]]
        scores = coarse[shortlist].copy()
        for ours, theirs in zip(self.levels[1:], levels[1:], strict=True):
            scores += _products(ours[shortlist], theirs)
        return float(np.partition(scores, -k)[-k])

    def _at_most(self, left: npt.NDArray[np.int64], lengths: Floats, finer: int) -> Floats:
        """What the levels beyond ``finer`` can add at most."""
        ours = self.lengths[left, finer:].reshape(len(left), lengths[finer:].size)
        return _products(ours, lengths[finer:].ravel())


def regions_on_grid(
    array: Array, shape: tuple[int, ...], stride: tuple[int, ...]
) -> tuple[npt.NDArray[np.int64], Array]:
    """All regions of a shape that lie within an image, every ``stride`` voxels.

    Returns
    -------
    tuple
        Their first voxels, ``(region, axis)``, and a view of them, ``(region, …)``.
    """
    every = (slice(None, None, step) for step in stride)
    windows = np.lib.stride_tricks.sliding_window_view(array, shape)[tuple(every)]
    starts = np.indices(windows.shape[: array.ndim]).reshape(array.ndim, -1).T * np.asarray(stride)
    return starts, windows.reshape(-1, *shape)


def _take_apart(region: Array) -> tuple[tuple[Floats, ...], Floats]:
    """Haar levels of a region of mean 0 and length 1, and the lengths of their bands."""
    region = _normalized(region)
    passes = max(0, int(np.ceil(np.log2(max(region.shape) / COARSEST))))
    # Zeros change no product, and even lengths make the transform keep it.
    region = np.pad(region, [(0, -n % 2**passes) for n in region.shape])
    coarse, *differences = haar_levels(region, passes, threads=1)
    bands = [np.stack([band.ravel() for band in finer.values()]) for finer in differences]
    lengths = np.array([np.linalg.norm(level, axis=1) for level in bands], dtype=np.float32)
    return (coarse.ravel(), *(level.ravel() for level in bands)), lengths.reshape(passes, 2**region.ndim - 1)


def _normalized(region: Array) -> Floats:
    """Mean 0 and length 1, without axes of one voxel; zeros where it is constant."""
    values = region.astype(np.float64)
    values -= values.mean()
    length = np.linalg.norm(values)
    if length <= 1e-6 * np.sqrt(values.size) * max(1e-300, float(np.abs(region).max())):
        values[...] = 0.0
        length = np.float64(1.0)
    sides = tuple(n for n in region.shape if n > 1)
    values = (values / length).reshape(sides if len(sides) > 1 else (1, values.size))
    return values.astype(np.float32)


def _products(rows: Floats, row: Floats) -> Floats:
    """Of each row with one. Unlike a matrix product it gives equal rows equal products, wherever they stand."""
    return np.asarray(np.einsum("ij,j->i", rows, row))
