"""Ramps and shading taken off: the smooth surface that fits an image best, in the sense of least squares.

The surface is a polynomial in the position, from -1 to 1 along each axis. Its normal equations need only sums of the
values times powers of the position, which are gathered block by block. What is removed is the surface less its mean, so
that the image keeps its level. Anatomy that is brighter on one side is a ramp too: where that matters, fit inside a
region, or use N4, which asks for a sharper histogram instead.
"""

from __future__ import annotations

import itertools
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from tasks.imaging.hue_kept import on_luminance, white_in
from tasks.imaging.luminance import luminances
from tasks.imaging.order_statistics import Region, quantiles, region_threshold
from tasks.imaging.step import SHOWN, Array, Blocks, Facts, Index, Step, View, floating

Coefficients = npt.NDArray[np.float64]
"""``(order + 1,)`` along each spatial axis: entry ``[a, b]`` belongs to ``y**a * x**b``."""


def fit_surface(blocks: Blocks, shape: Index, *, order: int, above: float | None = None) -> Coefficients:
    """The polynomial of total degree ``order`` that is nearest to a grey image.

    Parameters
    ----------
    blocks, shape
        The image and its size.
    above
        Only values greater than this are fitted; ``None`` for all.
    """
    axes = len(shape)
    weights, values = np.zeros((2 * order + 1,) * axes), np.zeros((order + 1,) * axes)
    for start, block in blocks():
        chosen = np.ones(block.shape) if above is None else (block > above).astype(np.float64)
        weights += _power_sums(chosen, start, shape, 2 * order)
        values += _power_sums(chosen * block, start, shape, order)
    terms = [t for t in itertools.product(range(order + 1), repeat=axes) if sum(t) <= order]
    normal = np.array([[weights[tuple(np.add(a, b))] for b in terms] for a in terms])
    solution = np.linalg.lstsq(normal, np.array([values[t] for t in terms]), rcond=1e-12)[0]
    coefficients = np.zeros((order + 1,) * axes)
    for term, coefficient in zip(terms, solution, strict=True):
        coefficients[term] = coefficient
    return coefficients


def surface(coefficients: Coefficients, block_shape: Index, start: Index, shape: Index) -> npt.NDArray[np.float64]:
    """Values of a polynomial at the voxels of a block."""
    values: npt.NDArray[Any] = coefficients
    for powers in _powers(block_shape, start, shape, coefficients.shape[0] - 1):
        values = np.tensordot(values, powers, axes=(0, 1))  # the first axis is used up, the voxels come last
    return values


def ramp(axes: int, *, height: float, degrees: float) -> Coefficients:
    """The coefficients of a plane that rises by ``height`` from one border to the other, in a direction within slices.

    Parameters
    ----------
    degrees
        0: along x, 90: along y.
    """
    coefficients = np.zeros((2,) * axes)
    angle = np.deg2rad(degrees)
    coefficients[(0,) * (axes - 1) + (1,)] = height / 2 * np.cos(angle)
    coefficients[(0,) * (axes - 2) + (1, 0)] = height / 2 * np.sin(angle)
    return coefficients


def add_shading(grey: Array, coefficients: Coefficients, *, start: Index | None = None, shape: Index = ()) -> Array:
    """Add a polynomial surface to a grey image, or to a block of one that begins at ``start`` and has ``shape``."""
    values = floating(grey)
    field = surface(coefficients, values.shape, start or (0,) * values.ndim, shape or values.shape)
    return np.asarray(values + field, dtype=values.dtype)


def _powers(block_shape: Index, start: Index, shape: Index, order: int) -> list[npt.NDArray[np.float64]]:
    """Powers 0 … order of the positions along each axis, ``(voxels, order + 1)``."""
    places = [
        (2.0 * (np.arange(n) + first) + 1.0) / total - 1.0
        for n, first, total in zip(block_shape, start, shape, strict=True)
    ]
    return [np.vander(place, order + 1, increasing=True) for place in places]


def _power_sums(values: npt.NDArray[np.float64], start: Index, shape: Index, order: int) -> npt.NDArray[np.float64]:
    sums = values
    for powers in _powers(values.shape, start, shape, order):
        sums = np.tensordot(sums, powers, axes=(0, 0))
    return sums


class Settings(Step):
    """A smooth surface removed, or a ramp added; in a coloured picture from or to its luminance.

    Attributes
    ----------
    mode
        ``remove``, or ``add`` for augmentation and tests.
    order
        Degree of the surface that is removed: 1 is a ramp, 2 bends once.
    inside
        Where the surface is fitted.
    strength
        Height of the ramp that is added, as a share of the image's range (1st to 99th percentile).
    degrees
        Its direction within slices; 0 along x, 90 along y.
    """

    name: Literal["shading"] = "shading"
    mode: Literal["remove", "add"] = "remove"
    order: int = Field(default=2, ge=1, le=4)
    inside: Region = "all"
    strength: float = Field(default=0.3, ge=-5, le=5)
    degrees: float = Field(default=0.0, ge=-360, le=360)

    def measure(self, blocks: Blocks, view: View) -> Facts:
        """The coefficients of what is added, and what white is."""
        grey, axes, white = luminances(blocks, view), len(view.shape), white_in(blocks, view)
        if self.mode == "add":
            low, high = quantiles(grey, (0.01, 0.99))
            added = ramp(axes, height=self.strength * (high - low), degrees=self.degrees)
            return {"added": added.tolist(), "white": white}
        found = fit_surface(grey, view.shape, order=self.order, above=region_threshold(grey, self.inside))
        found[(0,) * axes] -= _mean(found, view.shape)
        return {"added": (-found).tolist(), "white": white}

    def unit_after(self, unit: str) -> str:
        """Grey values stay such; a physical scale is lost."""
        return unit if unit in SHOWN else "arbitrary"

    def apply(self, block: Array, view: View) -> Array:
        """Add it to the block."""
        added = np.asarray(view.measured["added"])
        return on_luminance(
            block,
            len(view.shape),
            lambda grey: add_shading(grey, added, start=view.start, shape=view.shape),
            white=view.measured["white"],
        )


def _mean(coefficients: Coefficients, shape: Index) -> float:
    """Of a polynomial over the whole image."""
    values: npt.NDArray[Any] = coefficients
    for powers in _powers(shape, (0,) * len(shape), shape, coefficients.shape[0] - 1):
        values = np.tensordot(values, powers.mean(axis=0), axes=(0, 0))
    return float(values)
