"""Histograms of grey values in blocks: how much of each brightness there is, and where in the picture.

Brightness is relative to the picture's own content (:mod:`tasks.imaging.framed_grey`). Values are square roots of
shares, as in ``block_patterns``.
"""

from __future__ import annotations

from itertools import product
from typing import Self

import numpy as np
from pydantic import Field, model_validator

from tasks.extract.feature import FeatureInfo
from tasks.imaging.framed_grey import standardized_grey
from tasks.imaging.picture_frame import Pixels
from tasks.settings import StageSettings


class Settings(StageSettings):
    """Blocks and bins."""

    side: int = Field(default=128, ge=16, le=512, description="Pixels of the picture that is looked at.")
    blocks: int = Field(default=8, ge=1, le=32, description="Along each side.")
    bins: int = Field(default=8, ge=2, le=64, description="Of each block, from 0 to 1.")

    @model_validator(mode="after")
    def _whole_blocks(self) -> Self:
        if self.side % self.blocks:
            raise ValueError(f"expected a side of whole blocks; got {self.side} pixels in {self.blocks}")
        return self


def features(settings: Settings) -> dict[str, FeatureInfo]:
    """``y0_x3_bin_7``: row and column of the block, and its bin."""
    return {
        f"y{y}_x{x}_bin_{level}": FeatureInfo(
            None,
            "1",
            f"Square root of the share of pixels of {level / settings.bins:g} or more in their bin, block ({y}, {x}).",
        )
        for y, x, level in product(range(settings.blocks), range(settings.blocks), range(settings.bins))
    }


def compute(original: Pixels, framed: Pixels, settings: Settings) -> dict[str, float]:
    """By the names of `features`; the squares of a block's add up to 1."""
    del original
    grey, _ = standardized_grey(framed, settings.side)
    levels = np.minimum((grey * settings.bins).astype(np.intp), settings.bins - 1)
    of_block = np.arange(settings.side) * settings.blocks // settings.side
    place = (of_block[:, None] * settings.blocks + of_block) * settings.bins + levels
    counts = np.bincount(place.ravel(), minlength=settings.blocks**2 * settings.bins)
    shares = counts / (settings.side // settings.blocks) ** 2
    return dict(zip(features(settings), np.sqrt(shares).tolist(), strict=True))
