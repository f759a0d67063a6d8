"""One axis of a new grid along one of the old: which old voxels each new one takes, and with which weights.

Positions and their rules are those of :mod:`tasks.imaging.placing`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tasks.imaging.placement import Floats, Interpolation, Placement
from tasks.imaging.step import Array

SNAP = 9
"""Decimals of positions in voxels: rounding alone shall not decide which voxel is the nearest."""
TINY = 1e-6
"""A face or a ratio is met within so many voxels."""
TRUNCATE = 4.0
"""The Gaussian against aliasing ends so many standard deviations from its centre."""

Indices = npt.NDArray[np.intp]
Taps = tuple[Indices, Array]
"""First old voxel of each new one, ``(n,)``, and the weights of it and the next ones, ``(n, k)``."""


@dataclass(frozen=True)
class Line:
    """One new axis along an old one.

    Attributes
    ----------
    at
        Positions of the new voxels, in voxels of the whole old axis.
    ratio
        Length of a new voxel in old ones; 1 where nothing shall be smoothed.
    start
        Where on the old axis the block begins.
    size
        Voxels of the whole old axis.
    """

    at: Floats
    ratio: float
    start: int
    size: int

    @classmethod
    def of(
        cls, placement: Placement, axis: int, old: int, first: int, stop: int, start: int, size: int, *, smooth: bool
    ) -> Line:
        """From the new voxel ``first`` up to ``stop``; the block begins at ``start`` of an old axis of this size."""
        step = float(placement.matrix[old, axis])
        at = np.round(step * np.arange(first, stop) + float(placement.offset[old]), SNAP)
        return cls(at, abs(step) if smooth else 1.0, start, size)

    @property
    def clipped(self) -> Floats:
        """Positions, where those beyond the border voxels' centres are at the centres."""
        return np.clip(self.at, 0, self.size - 1)

    @property
    def inside(self) -> slice:
        """Voxels within the faces of the old grid; all of them lie side by side."""
        hits = np.flatnonzero((self.at >= -0.5 - TINY) & (self.at <= self.size - 0.5 + TINY))
        return slice(int(hits[0]), int(hits[-1]) + 1) if hits.size else slice(0, 0)

    def within(self, part: slice) -> Line:
        """Some of the new voxels."""
        return Line(self.at[part], self.ratio, self.start, self.size)

    def picks(self, interpolation: Interpolation) -> Indices | None:
        """The voxel of the block that each value is copied from; ``None`` where values lie between voxels."""
        at = self.clipped
        if interpolation != "nearest" and (self.ratio > 1 + TINY or (at != np.rint(at)).any()):
            return None
        nearest = np.minimum(np.floor(at + 0.5).astype(np.intp), self.size - 1)
        return np.asarray(nearest - self.start)

    def taps(self, interpolation: Interpolation, length: int, dtype: np.dtype[Any]) -> Taps:
        """``(n,)`` first voxels of the block of this length, and ``(n, k)`` weights of them and the next ones."""
        at = self.clipped
        base = np.floor(at).astype(np.intp)
        near = np.arange(2) if interpolation == "linear" else np.arange(-1, 3)
        stencil = spline_weights(np.abs((at - base)[:, None] - near), interpolation)
        smoother = _gaussian(self.ratio)
        radius = smoother.size // 2
        weights = np.zeros((at.size, near.size + 2 * radius))
        for shift, share in enumerate(smoother):
            weights[:, shift : shift + near.size] += share * stencil
        places = base[:, None] + np.arange(near[0] - radius, near[-1] + radius + 1)
        return _windows(_mirrored(places, self.size) - self.start, weights, length, dtype)


def smoothing_radius(ratio: float) -> int:
    """Old voxels on either side that the Gaussian against aliasing takes in, where voxels become larger by a ratio."""
    return int(TRUNCATE * max(0.0, ratio - 1.0) / 2 + TINY)


def _gaussian(ratio: float) -> Floats:
    radius = smoothing_radius(ratio)
    if radius == 0:
        return np.ones(1)
    weights = np.exp(-0.5 * (np.arange(-radius, radius + 1) / ((ratio - 1.0) / 2)) ** 2)
    return np.asarray(weights / weights.sum())


def spline_weights(distance: Floats, interpolation: Interpolation) -> Floats:
    """Weight of a voxel at a distance of up to 2 voxels: of the tent, or of the cubic B-spline."""
    if interpolation == "linear":
        return np.asarray(np.maximum(0.0, 1.0 - distance))
    near = 2.0 / 3.0 - 0.5 * distance**2 * (2.0 - distance)
    return np.where(distance < 1.0, near, np.maximum(0.0, 2.0 - distance) ** 3 / 6.0)


def _mirrored(places: Indices, size: int) -> Indices:
    """Voxels beyond the ends, reflected at the centres of the border voxels."""
    period = max(1, 2 * size - 2)
    places = places % period
    return np.minimum(places, period - places) if size > 1 else np.zeros_like(places)


def _windows(places: Indices, weights: Floats, length: int, dtype: np.dtype[Any]) -> Taps:
    """The same weights for voxels side by side; those of voxels that are named twice are added."""
    low = places.min(axis=1)
    span = int((places.max(axis=1) - low).max()) + 1
    first = np.clip(low, 0, length - span)
    dense = np.zeros((len(places), span))
    np.add.at(dense, (np.arange(len(places))[:, None], places - first[:, None]), weights)
    return first, dense.astype(dtype)
