"""Energies of the Haar wavelet decomposition of a candidate and its surroundings, by direction and level.

A *cube* around the candidate is sampled on a small fixed grid, smoothed by a Gaussian and decomposed. At each *level*
the 3-D Haar transform splits what is left into an approximation and seven *sub-bands*, named by the axes along which
neighbours are subtracted rather than averaged: ``x`` answers to edges across x, ``xy`` to lines along z, ``xyz`` to
points. Level 1 is the finest.

Coefficients are scaled to plain differences of means (the orthonormal ones over ``2**(1.5 level)``): a coefficient of
``x`` is half the difference of the means of two neighbouring blocks of ``2**(level - 1)`` samples. The cube follows the
size of the candidate, so that levels mean fractions of a lesion; its edge beyond the candidate lets the local contrast
in. Size itself is the shape family's.
"""

from __future__ import annotations

from itertools import product
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
import pywt
from pydantic import Field, model_validator
from scipy import ndimage

from storage.volume import Triple
from tasks.extract.feature import FeatureInfo
from tasks.extract.region import Region
from tasks.imaging.morphology import mask_box
from tasks.settings import StageSettings

AXES = "zyx"
FLOOR = 1e-6
"""Added to an energy before its logarithm, in squared intensity: far below a scanner's noise, finite when flat."""


class Settings(StageSettings):
    """How the cube is cut and which energies are given.

    Attributes
    ----------
    side_mm
        Side of the cube in mm; ``None``: ``context`` times the largest side of the candidate's box.
    context
        See ``side_mm``; 1.5 leaves a quarter of the candidate's size on either side.
    samples
        Samples along each side of the cube, a multiple of ``2**levels``.
    levels
        Levels of the decomposition.
    smoothing_samples
        Sigma of the Gaussian before the decomposition, in samples; 0 for none.
    scale
        ``"linear"``, ``"log"`` (natural logarithm) or ``"both"``.
    order_weights
        Weights of the sub-bands with one, two and three differentiated axes (faces, lines, points) in the combined
        energy of a level.
    """

    side_mm: float | None = Field(None, gt=0)
    context: float = Field(1.5, ge=1)
    samples: int = Field(16, ge=2, le=64)
    levels: int = Field(3, ge=1)
    smoothing_samples: float = Field(0.5, ge=0)
    scale: Literal["linear", "log", "both"] = "log"
    order_weights: tuple[float, float, float] = (1.0, 1.0, 1.0)

    @model_validator(mode="after")
    def _divisible(self) -> Self:
        if self.samples % 2**self.levels:
            raise ValueError(
                f"samples must be a multiple of {2**self.levels} for {self.levels} levels; got {self.samples}"
            )
        return self


def features(settings: Settings) -> dict[str, FeatureInfo]:
    """Energies of sub-bands (``level_1_x``), levels (``level_1``) and the ``approximation``; ``log_…``: logarithms."""
    infos: dict[str, FeatureInfo] = {}
    for name in _energy_names(settings.levels):
        text = f"Mean squared Haar coefficient, {name.replace('_', ' ')}."
        if settings.scale != "log":
            infos[name] = FeatureInfo(None, "intensity2", text)
        if settings.scale != "linear":
            infos[f"log_{name}"] = FeatureInfo(None, "1", f"Natural logarithm of: {text}")
    return infos


def margin_mm(extent_mm: Triple, settings: Settings) -> Triple:
    """Surroundings that the cube needs along ``(z, y, x)``, and room for its interpolation."""
    side = _side_mm(extent_mm, settings)
    room = side / settings.samples * (1 + 4 * settings.smoothing_samples)
    z, y, x = (max(0.0, (side - extent) / 2) + room for extent in extent_mm)
    return z, y, x


def compute(region: Region, settings: Settings) -> dict[str, float]:
    """Energies of the region's cube, by the names of `features`.

    Where the image ends inside the cube, its last voxels are repeated.
    """
    coefficients = pywt.wavedecn(_cube(region, settings), "haar", mode="periodization", level=settings.levels)
    energies = {"approximation": _energy(coefficients[0], settings.levels)}
    for level, bands in zip(range(settings.levels, 0, -1), coefficients[1:], strict=True):
        for key, band in bands.items():
            energies[f"level_{level}_{_axes_of(key)}"] = _energy(band, level)
        weighted = (
            settings.order_weights[key.count("d") - 1] * energies[f"level_{level}_{_axes_of(key)}"] for key in bands
        )
        energies[f"level_{level}"] = float(sum(weighted))
    values = {}
    for name in _energy_names(settings.levels):
        if settings.scale != "log":
            values[name] = energies[name]
        if settings.scale != "linear":
            values[f"log_{name}"] = float(np.log(energies[name] + FLOOR))
    return values


def _energy_names(levels: int) -> list[str]:
    keys = sorted(
        ("".join(key) for key in product("ad", repeat=3) if "d" in key), key=lambda key: (key.count("d"), key)
    )
    bands = [
        f"level_{level}{suffix}"
        for level in range(1, levels + 1)
        for suffix in ("", *(f"_{_axes_of(k)}" for k in keys))
    ]
    return [*bands, "approximation"]


def _axes_of(key: str) -> str:
    """``"add"`` (averaged along z, subtracted along y and x) is called ``xy``."""
    return "".join(sorted(axis for axis, letter in zip(AXES, key, strict=True) if letter == "d"))


def _energy(band: npt.NDArray[Any], level: int) -> float:
    return float(np.mean(band**2)) / 2.0 ** (3 * level)


def _side_mm(extent_mm: Triple, settings: Settings) -> float:
    return settings.side_mm if settings.side_mm is not None else settings.context * max(extent_mm)


def _cube(region: Region, settings: Settings) -> npt.NDArray[np.float64]:
    """The cube centred on the candidate's box, interpolated linearly; wide samples are means of sub-samples."""
    box, spacing = mask_box(region.mask), np.asarray(region.spacing_mm)
    extent = [(side.stop - side.start) * s for side, s in zip(box, spacing, strict=True)]
    step = _side_mm((extent[0], extent[1], extent[2]), settings) / settings.samples
    finer = [max(1, round(step / s)) for s in spacing]
    image = np.asarray(region.image, dtype=np.float64)
    for axis, (side, s, parts) in enumerate(zip(box, spacing, finer, strict=True)):
        n = settings.samples * parts
        at = (side.start + side.stop - 1) / 2 + (np.arange(n) - (n - 1) / 2) * step / parts / s
        image = _interpolate(image, at, axis)
        image = image.reshape(*image.shape[:axis], settings.samples, parts, *image.shape[axis + 1 :]).mean(
            axis=axis + 1
        )
    if settings.smoothing_samples:
        image = ndimage.gaussian_filter(image, settings.smoothing_samples, mode="nearest")
    return image


def _interpolate(image: npt.NDArray[np.float64], at: npt.NDArray[np.float64], axis: int) -> npt.NDArray[np.float64]:
    """Linear interpolation at fractional indices along one axis, constant beyond the ends."""
    at = np.clip(at, 0, image.shape[axis] - 1)
    low = np.minimum(at.astype(int), max(image.shape[axis] - 2, 0))
    weight = (at - low).reshape([-1 if a == axis else 1 for a in range(3)])
    high = np.minimum(low + 1, image.shape[axis] - 1)
    return np.asarray(np.take(image, low, axis) * (1 - weight) + np.take(image, high, axis) * weight)
