"""How a picture was saved: its size, and the outermost pixels of the picture as it came.

Nothing further inside is looked at. A classifier that does well on it shows what a collection gives away. Grey is luma
(ITU-R BT.601-7), 0–255.
"""

from __future__ import annotations

from tasks.extract.feature import FeatureInfo
from tasks.imaging.luminance import LUMA
from tasks.imaging.picture_frame import Pixels
from tasks.settings import NoSettings as Settings

__all__ = ["FEATURES", "Settings", "compute"]

BORDER = 4
"""Width of the outermost strip of each side, and side of a corner, in pixels."""

SIDES = ("top", "bottom", "left", "right")
CORNERS = ("top_left", "top_right", "bottom_left", "bottom_right")
FEATURES = {
    "width": FeatureInfo(None, "pixel", "Width of the picture."),
    "height": FeatureInfo(None, "pixel", "Height of the picture."),
    "aspect": FeatureInfo(None, "1", "Width over height."),
    **{
        f"{side}_mean": FeatureInfo(None, "intensity", f"Mean grey of the outermost {BORDER} pixels.") for side in SIDES
    },
    **{f"{side}_sd": FeatureInfo(None, "intensity", "Standard deviation of the same.") for side in SIDES},
    **{one: FeatureInfo(None, "intensity", f"Mean grey of {BORDER} × {BORDER} pixels.") for one in CORNERS},
}


def compute(original: Pixels, framed: Pixels, settings: Settings) -> dict[str, float]:
    """By the names of ``FEATURES``, of the picture as it came."""
    del framed, settings
    grey = original @ LUMA
    height, width = grey.shape
    first, last = slice(BORDER), slice(-BORDER, None)
    strips = [grey[first], grey[last], grey[:, first], grey[:, last]]
    corners = [grey[row, column] for row in (first, last) for column in (first, last)]
    values = (
        *(width, height, width / height),
        *(strip.mean() for strip in strips),
        *(strip.std() for strip in strips),
        *(corner.mean() for corner in corners),
    )
    return dict(zip(FEATURES, (float(value) for value in values), strict=True))
