"""Statistics of wavelet sub-bands in blocks: how strong edges, lines and points are, at which size, and where.

The decimated transform of a framed picture (Mallat 1989, doi:10.1109/34.192463), its *sub-bands* named by the axes
along which neighbours are subtracted (:mod:`tasks.imaging.sub_bands`): ``x`` answers to edges across x, ``xy`` to
points. Level 1 is the finest. Each band is divided into as many blocks as the picture. Coefficients are scaled to
differences of means (the orthonormal ones over ``2**level``), so that levels can be compared; brightness is relative to
the picture's own content (:mod:`tasks.imaging.framed_grey`).

References
----------
Lee et al. 2019 (PyWavelets), doi:10.21105/joss.01237
"""

from __future__ import annotations

from itertools import product
from typing import Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, field_validator, model_validator

from tasks.extract.feature import FeatureInfo
from tasks.imaging.framed_grey import standardized_grey
from tasks.imaging.picture_frame import Pixels
from tasks.imaging.sub_bands import detail_axes, detail_keys
from tasks.settings import StageSettings

Floats = npt.NDArray[np.float64]

FAINT = 1e-6
"""Added to an energy before its logarithm: a thousandth of the picture's range, squared."""
STATISTICS = {
    "log_energy": ("Logarithm of the mean squared coefficient", ""),
    "mean_absolute": ("Mean absolute coefficient", ""),
    "entropy": (
        "How evenly the energy is spread over the coefficients, Shannon entropy over its maximum: 0 in one, 1 evenly",
        "a block without energy",
    ),
}


class Settings(StageSettings):
    """Wavelet, levels and blocks."""

    side: int = Field(default=128, ge=16, le=512, description="Pixels of the picture that is looked at.")
    wavelet: str = Field(default="haar", description="Name of a discrete wavelet of PyWavelets.")
    levels: int = Field(default=4, ge=1, le=6)
    blocks: int = Field(default=4, ge=1, le=32, description="Along each side.")

    @field_validator("wavelet")
    @classmethod
    def _discrete(cls, name: str) -> str:
        import pywt

        if name not in (names := pywt.wavelist(kind="discrete")):
            raise ValueError(f"no discrete wavelet {name!r}; choose from: {', '.join(names)}")
        return name

    @model_validator(mode="after")
    def _whole_blocks(self) -> Self:
        if self.side % (2 * self.blocks * 2**self.levels):
            raise ValueError(
                f"expected a side of whole blocks, of 2 × 2 coefficients of the last level at least; got {self.side} "
                f"pixels in {self.blocks} blocks of {self.levels} levels"
            )
        return self

    @property
    def bands(self) -> tuple[str, ...]:
        """Names of the sub-bands, the finest first."""
        levels = range(1, self.levels + 1)
        return (*(f"level_{n}_{detail_axes(key)}" for n in levels for key in detail_keys(2)), "approximation")


def features(settings: Settings) -> dict[str, FeatureInfo]:
    """``level_1_x_log_energy_y0_x3`` and so on: band, statistic, row and column of the block."""
    blocks = range(settings.blocks)
    return {
        f"{band}_{name}_y{y}_x{x}": FeatureInfo(
            None, "1", f"{text}, {band.replace('_', ' ')}, block ({y}, {x}).", nan_when=nan_when
        )
        for band, (name, (text, nan_when)), y, x in product(settings.bands, STATISTICS.items(), blocks, blocks)
    }


def compute(original: Pixels, framed: Pixels, settings: Settings) -> dict[str, float]:
    """By the names of `features`."""
    import pywt

    del original
    grey = standardized_grey(framed, settings.side)[0].astype(np.float64)
    coarsest, *details = pywt.wavedec2(grey, settings.wavelet, mode="periodization", level=settings.levels)
    # PyWavelets gives a level's bands in this order, the coarsest level first.
    by_key = [dict(zip(("da", "ad", "dd"), bands, strict=True)) for bands in reversed(details)]
    bands = [by_key[level - 1][key] / 2**level for level in range(1, settings.levels + 1) for key in detail_keys(2)]
    bands.append(coarsest / 2**settings.levels)
    values = np.stack([_statistics(_in_blocks(band, settings.blocks)) for band in bands])
    return dict(zip(features(settings), values.ravel().tolist(), strict=True))


def _in_blocks(band: Floats, blocks: int) -> Floats:
    """``(blocks, blocks, coefficients)``."""
    n = len(band) // blocks
    return band.reshape(blocks, n, blocks, n).swapaxes(1, 2).reshape(blocks, blocks, n * n)


def _statistics(found: Floats) -> Floats:
    """By the names of `STATISTICS`, each ``(blocks, blocks)``."""
    squares = found**2
    total = squares.sum(axis=-1)
    shares = squares / np.where(total > 0, total, np.nan)[..., None]
    logs = np.log(shares, out=np.zeros_like(shares), where=shares > 0)
    entropy = -(shares * logs).sum(axis=-1) / np.log(found.shape[-1])
    return np.stack([np.log(total / found.shape[-1] + FAINT), np.abs(found).mean(axis=-1), entropy])
