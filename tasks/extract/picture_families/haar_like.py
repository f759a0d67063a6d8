"""Haar-like features in blocks: how much brighter boxes are than the boxes beside them, at which size, and where.

Patterns of two, three and four boxes (:mod:`tasks.imaging.haar_patterns`) stand around the points of a grid, in several
sizes; each responds with the mean of its positive boxes less that of the others, from an integral image
(:mod:`tasks.imaging.integral_image`). Of the points in a block, the mean of what is above 0 and the mean of what is
below are two features: a texture of both signs is not averaged away. Brightness is relative to the picture's own
content (:mod:`tasks.imaging.framed_grey`), and beyond the picture it is dark.

References
----------
Viola & Jones 2004, doi:10.1023/B:VISI.0000013087.49260.fb; Lienhart & Maydt 2002, doi:10.1109/ICIP.2002.1038171
"""

from __future__ import annotations

from itertools import product
from typing import Annotated, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from tasks.extract.feature import FeatureInfo
from tasks.imaging.framed_grey import standardized_grey
from tasks.imaging.haar_patterns import OF_PICTURES, PATTERNS, box_weights, taps
from tasks.imaging.integral_image import integral_image
from tasks.imaging.picture_frame import Pixels
from tasks.settings import StageSettings

Floats = npt.NDArray[np.float64]

STEP = 4
"""Pixels between the points of the grid."""
SIGNS = {"above": "above 0", "below": "below 0, as it is less"}
LONGEST = 3
"""Boxes along a pattern, at most."""


class Settings(StageSettings):
    """Sizes and blocks."""

    side: int = Field(default=128, ge=16, le=512, description="Pixels of the picture that is looked at.")
    sizes_px: tuple[Annotated[int, Field(ge=2, le=64, multiple_of=2)], ...] = Field(
        default=(2, 4, 8, 16), min_length=1, description="Sides of a box."
    )
    blocks: int = Field(default=4, ge=1, le=32, description="Along each side.")

    @model_validator(mode="after")
    def _whole_blocks(self) -> Self:
        if self.side % (STEP * self.blocks) or len(set(self.sizes_px)) != len(self.sizes_px):
            raise ValueError(
                f"expected a side of whole blocks of a multiple of {STEP} pixels, and each size once; got {self.side} "
                f"in {self.blocks}, and {self.sizes_px}"
            )
        return self


def features(settings: Settings) -> dict[str, FeatureInfo]:
    """``two_x_8px_y0_x3_above`` and so on: pattern, size of a box, row and column of the block, sign."""
    blocks = range(settings.blocks)
    return {
        f"{pattern}_{size}px_y{y}_x{x}_{sign}": FeatureInfo(
            None, "1", f"Mean over block ({y}, {x}) of what pattern {pattern} of {size} pixels responds {text}."
        )
        for size, pattern, (sign, text), y, x in product(settings.sizes_px, OF_PICTURES, SIGNS.items(), blocks, blocks)
    }


def compute(original: Pixels, framed: Pixels, settings: Settings) -> dict[str, float]:
    """By the names of `features`."""
    del original
    grey = standardized_grey(framed, settings.side)[0].astype(np.float64)
    margin = LONGEST * max(settings.sizes_px) // 2
    integral = np.asarray(integral_image(np.pad(grey, margin)), dtype=np.float64)
    points = margin + np.arange(STEP // 2, settings.side, STEP)
    found = np.stack([_responses(integral, points, size) for size in settings.sizes_px])
    signs = np.stack([np.maximum(found, 0), np.maximum(-found, 0)], axis=2)
    n = len(points) // settings.blocks
    means = signs.reshape(*signs.shape[:3], settings.blocks, n, settings.blocks, n).mean(axis=(4, 6))
    return dict(zip(features(settings), means.ravel().tolist(), strict=True))


def _responses(integral: Floats, points: npt.NDArray[np.intp], size: int) -> Floats:
    """Of each pattern, with its middle at each pair of points: ``(patterns, y, x)``."""
    first, corners, weights = taps(balanced=True)
    found = np.zeros((len(OF_PICTURES), len(points), len(points)))
    for response, name in zip(found, OF_PICTURES, strict=True):
        place, boxes = list(PATTERNS).index(name), box_weights(name, balanced=True)
        top, left = (points - count * size // 2 for count in boxes.shape[1:])
        for tap in range(first[place], first[place + 1]):
            z, y, x = corners[tap] * size
            if z:  # a picture has one slice: before it there is nothing to sum
                response += weights[tap] * integral[np.ix_(top + y, left + x)]
        response /= size**2 * boxes[boxes > 0].sum()
    return found
