"""Local binary patterns in blocks: which fine textures there are, and where in the picture.

A pattern says which of 8 neighbours on a circle are at least as bright as the pixel between them; it keeps its
direction, since anatomy has one. Counted are the 58 *uniform* ones (one run of bright neighbours, or none, or all), and
all others together (Ojala et al. 2002, doi:10.1109/TPAMI.2002.1017623), in each block by itself (Ahonen et al. 2006,
doi:10.1109/TPAMI.2006.244). Values are square roots of shares, so that their distances are those of Hellinger, and a
rare pattern counts as well.
"""

from __future__ import annotations

from itertools import product
from typing import Annotated, Self

import numpy as np
from pydantic import Field, model_validator

from tasks.extract.feature import FeatureInfo
from tasks.imaging.framed_grey import standardized_grey
from tasks.imaging.picture_frame import Pixels
from tasks.settings import StageSettings

NEIGHBOURS = 8
PATTERNS = 59
"""58 uniform ones, and the others."""


class Settings(StageSettings):
    """Blocks and circles."""

    side: int = Field(default=128, ge=16, le=512, description="Pixels of the picture that is looked at.")
    blocks: int = Field(default=4, ge=1, le=32, description="Along each side.")
    radii_px: tuple[Annotated[int, Field(ge=1, le=32)], ...] = Field(default=(1, 2, 4), min_length=1)

    @model_validator(mode="after")
    def _whole_blocks(self) -> Self:
        if self.side % self.blocks or len(set(self.radii_px)) != len(self.radii_px):
            raise ValueError(f"expected a side of whole blocks, and each radius once; got {self.side}, {self.radii_px}")
        return self


def features(settings: Settings) -> dict[str, FeatureInfo]:
    """``r2_y0_x3_58``: radius, row and column of the block, pattern."""
    return {
        f"r{radius}_y{y}_x{x}_{pattern:02d}": FeatureInfo(
            None, "1", f"Square root of the share of pattern {pattern} at {radius} pixels in block ({y}, {x})."
        )
        for radius, y, x, pattern in product(
            settings.radii_px, range(settings.blocks), range(settings.blocks), range(PATTERNS)
        )
    }


def compute(original: Pixels, framed: Pixels, settings: Settings) -> dict[str, float]:
    """By the names of `features`; the squares of a block's add up to 1."""
    from skimage.feature import local_binary_pattern

    del original
    grey = (standardized_grey(framed, settings.side)[0] * 255).astype(np.uint8)
    counts = []
    for radius in settings.radii_px:
        codes = local_binary_pattern(grey, NEIGHBOURS, radius, method="nri_uniform").astype(np.intp)
        counts.append(_in_blocks(codes, settings.blocks))
    shares = np.stack(counts) / (settings.side // settings.blocks) ** 2
    return dict(zip(features(settings), np.sqrt(shares).ravel().tolist(), strict=True))


def _in_blocks(codes: np.ndarray[tuple[int, ...], np.dtype[np.intp]], blocks: int) -> np.ndarray:
    """How often each pattern is found in each block: ``(blocks, blocks, PATTERNS)``."""
    of_block = np.arange(len(codes)) * blocks // len(codes)
    place = (of_block[:, None] * blocks + of_block) * PATTERNS + codes
    return np.bincount(place.ravel(), minlength=blocks**2 * PATTERNS).reshape(blocks, blocks, PATTERNS)
