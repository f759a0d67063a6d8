"""Energies of the Haar wavelet decomposition of a candidate and its surroundings, by direction and level.

A *cube* around the candidate (:mod:`tasks.extract.cube`) is smoothed by a Gaussian and decomposed. At each *level* the
3-D Haar transform splits what is left into an approximation and seven *sub-bands*, named by the axes along which
neighbours are subtracted rather than averaged: ``x`` answers to edges across x, ``xy`` to lines along z, ``xyz`` to
points. Level 1 is the finest.

Coefficients are scaled to plain differences of means (the orthonormal ones over ``2**(1.5 level)``): a coefficient of
``x`` is half the difference of the means of two neighbouring blocks of ``2**(level - 1)`` samples.
"""

from __future__ import annotations

from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from storage.volume import Triple
from tasks.extract.cube import CubeSettings, cube, cube_margin_mm
from tasks.extract.feature import FeatureInfo
from tasks.extract.region import Region
from tasks.imaging.sub_bands import detail_axes, detail_keys

FLOOR = 1e-6
"""Added to an energy before its logarithm, in squared intensity: far below a scanner's noise, finite when flat."""


class Settings(CubeSettings):
    """How the cube is cut, its samples a multiple of ``2**levels``, and which energies are given.

    Attributes
    ----------
    levels
        Levels of the decomposition.
    scale
        ``"linear"``, ``"log"`` (natural logarithm) or ``"both"``.
    order_weights
        Weights of the sub-bands with one, two and three differentiated axes (faces, lines, points) in the combined
        energy of a level.
    """

    levels: int = Field(3, ge=1)
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
    """Surroundings that the cube needs."""
    return cube_margin_mm(extent_mm, settings)


def compute(region: Region, settings: Settings) -> dict[str, float]:
    """Energies of the region's cube, by the names of `features`."""
    import pywt

    coefficients = pywt.wavedecn(cube(region, settings), "haar", mode="periodization", level=settings.levels)
    energies = {"approximation": _energy(coefficients[0], settings.levels)}
    for level, bands in zip(range(settings.levels, 0, -1), coefficients[1:], strict=True):
        for key, band in bands.items():
            energies[f"level_{level}_{detail_axes(key)}"] = _energy(band, level)
        weighted = (
            settings.order_weights[key.count("d") - 1] * energies[f"level_{level}_{detail_axes(key)}"] for key in bands
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
    bands = [
        f"level_{level}{suffix}"
        for level in range(1, levels + 1)
        for suffix in ("", *(f"_{detail_axes(key)}" for key in detail_keys(3)))
    ]
    return [*bands, "approximation"]


def _energy(band: npt.NDArray[Any], level: int) -> float:
    return float(np.mean(band**2)) / 2.0 ** (3 * level)
