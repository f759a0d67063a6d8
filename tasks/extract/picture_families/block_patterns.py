"""Local binary patterns in blocks: which fine textures there are, and where (:mod:`tasks.imaging.block_patterns`)."""

from __future__ import annotations

from itertools import product
from typing import Annotated, Self

from pydantic import Field, model_validator

from tasks.extract.feature import FeatureInfo
from tasks.imaging.block_patterns import PATTERNS, block_patterns
from tasks.imaging.framed_grey import standardized_grey
from tasks.imaging.picture_frame import Pixels
from tasks.settings import StageSettings


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
    del original
    grey, _ = standardized_grey(framed, settings.side)
    shares = block_patterns(grey, blocks=settings.blocks, radii_px=settings.radii_px)
    return dict(zip(features(settings), shares.ravel().tolist(), strict=True))
