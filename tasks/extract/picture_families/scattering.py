"""Wavelet scattering: how strong lines and edges are, where, and what pattern they form themselves.

A cascade of two layers, like a network whose filters are known beforehand. The picture is convolved with Morlet
wavelets of several sizes and directions, and the modulus taken; each of the results is convolved again with wavelets of
larger sizes. Every map is averaged in blocks (Bruna & Mallat 2013, doi:10.1109/TPAMI.2012.230). Values are natural
logarithms, so that what counts is by which factor two pictures differ.
"""

from __future__ import annotations

from functools import cache
from itertools import product
from typing import Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from tasks.extract.feature import FeatureInfo
from tasks.imaging.framed_grey import standardized_grey
from tasks.imaging.picture_frame import Pixels
from tasks.settings import StageSettings

Floats = npt.NDArray[np.float64]
Path = tuple[tuple[int, int], ...]
"""Wavelets that a picture goes through, each by its size and direction, from 0."""

HIGHEST = 3 * np.pi / 4
"""Frequency of the finest wavelet in radians per pixel; each size halves it."""
WIDTH = 0.8
"""Standard deviation of the finest wavelet's envelope, which is round, in pixels."""
FAINT = 1e-3
"""Added before the logarithm, in shares of the picture's range."""


class Settings(StageSettings):
    """Wavelets and blocks."""

    side: int = Field(default=128, ge=16, le=512, description="Pixels of the picture that is looked at.")
    sizes: int = Field(default=4, ge=1, le=6, description="Each twice the one before it.")
    directions: int = Field(default=4, ge=1, le=16, description="Of the half circle.")
    blocks: int = Field(default=4, ge=1, le=32, description="Along each side.")

    @model_validator(mode="after")
    def _whole_blocks(self) -> Self:
        if self.side % self.blocks:
            raise ValueError(f"expected a side of whole blocks; got {self.side} pixels in {self.blocks}")
        return self


def features(settings: Settings) -> dict[str, FeatureInfo]:
    """``y0_x3_mean``, ``y0_x3_s0_d2`` of one wavelet, ``y0_x3_s0_d2_s1_d0`` of one after the other."""
    maps = {
        "mean": "the grey value",
        **{_name(path): _told(path) for path in _paths(settings)},
    }
    return {
        f"y{y}_x{x}_{name}": FeatureInfo(None, "1", f"Logarithm of the mean of {text} in block ({y}, {x}).")
        for y, x in product(range(settings.blocks), range(settings.blocks))
        for name, text in maps.items()
    }


def compute(original: Pixels, framed: Pixels, settings: Settings) -> dict[str, float]:
    """By the names of `features`."""
    del original
    grey = standardized_grey(framed, settings.side)[0].astype(np.float64)
    bank = _wavelets(settings.side, settings.sizes, settings.directions)
    spectra: dict[Path, npt.NDArray[np.complex128]] = {(): np.fft.fft2(grey)}
    maps = [grey]
    for path in _paths(settings):
        found = np.abs(np.fft.ifft2(spectra[path[:-1]] * bank[path[-1]]))
        if len(path) == 1:
            spectra[path] = np.fft.fft2(found)
        maps.append(found)
    n = settings.side // settings.blocks
    means = np.stack(maps).reshape(-1, settings.blocks, n, settings.blocks, n).mean(axis=(2, 4))
    return dict(zip(features(settings), np.log(np.moveaxis(means, 0, -1) + FAINT).ravel().tolist(), strict=True))


def _paths(settings: Settings) -> list[Path]:
    """One wavelet, or two after one another; the second is larger."""
    one = list(product(range(settings.sizes), range(settings.directions)))
    return [path for first in one for path in [(first,), *((first, then) for then in one if then[0] > first[0])]]


def _name(path: Path) -> str:
    return "_".join(f"s{size}_d{turn}" for size, turn in path)


def _told(path: Path) -> str:
    return "wavelets of " + " then of ".join(f"size {size}, direction {turn}" for size, turn in path)


@cache
def _wavelets(side: int, sizes: int, directions: int) -> dict[tuple[int, int], Floats]:
    """The wavelets' transfer functions ``(side, side)``, real and of mean 0, by size and direction."""
    down, right = np.meshgrid(*(2 * np.pi * np.fft.fftfreq(side),) * 2, indexing="ij")
    bank = {}
    for size, turn in product(range(sizes), range(directions)):
        angle, sigma, frequency = np.pi * turn / directions, WIDTH * 2**size, HIGHEST / 2**size
        along = right * np.cos(angle) + down * np.sin(angle)
        across = down * np.cos(angle) - right * np.sin(angle)
        shifted, centred = (
            np.exp(-(sigma**2) / 2 * ((along - middle) ** 2 + across**2)) for middle in (frequency, 0.0)
        )
        bank[size, turn] = shifted - centred * shifted[0, 0] / centred[0, 0]
    return bank
