"""Histograms of oriented gradients of the framed picture (Dalal & Triggs 2005, doi:10.1109/CVPR.2005.177).

Cells of the whole picture, each normalized together with its neighbours, block by block (L2-Hys): where edges are, and
which way they run.
"""

from __future__ import annotations

from typing import Self

import numpy as np
from pydantic import Field, model_validator

from tasks.extract.feature import FeatureInfo
from tasks.imaging.luminance import LUMA
from tasks.imaging.picture_frame import Pixels
from tasks.settings import StageSettings


class Settings(StageSettings):
    """How finely places and directions are told apart."""

    side: int = Field(default=128, ge=16, le=512, description="Pixels of the picture that is looked at.")
    cell: int = Field(
        default=16,
        ge=2,
        le=128,
        description="Pixels: 8 × 8 cells on a head keep an edge's place to about a centimetre.",
    )
    block: int = Field(default=2, ge=1, le=8, description="Cells along a side of what is normalized together.")
    orientations: int = Field(default=9, ge=2, le=36, description="Of the half circle.")

    @model_validator(mode="after")
    def _a_block_fits(self) -> Self:
        if self.cells < self.block:
            raise ValueError(f"a block of {self.block} cells is larger than the picture, which has {self.cells}")
        return self

    @property
    def cells(self) -> int:
        """Along each side of the picture."""
        return self.side // self.cell


def features(settings: Settings) -> dict[str, FeatureInfo]:
    """``0000`` and so on: block by block, cell by cell, orientation by orientation."""
    columns = (settings.cells - settings.block + 1) ** 2 * settings.block**2 * settings.orientations
    degrees = np.arange(columns) % settings.orientations * 180 // settings.orientations
    return {
        f"{number:04d}": FeatureInfo(None, "1", f"Gradients at {angle}°, normalized.")
        for number, angle in enumerate(degrees)
    }


def compute(original: Pixels, framed: Pixels, settings: Settings) -> dict[str, float]:
    """By the names of `features`; all 0 where there are no gradients."""
    from PIL import Image
    from skimage.feature import hog

    del original
    small = Image.fromarray(framed).resize((settings.side,) * 2, Image.Resampling.BILINEAR)
    values = hog(
        np.asarray(small) @ LUMA,
        orientations=settings.orientations,
        pixels_per_cell=(settings.cell,) * 2,
        cells_per_block=(settings.block,) * 2,
        block_norm="L2-Hys",
    )
    return dict(zip(features(settings), (float(value) for value in values), strict=True))
