"""Statistics of the grey values of a picture's content, wherever they are: those of volumes, on luma of 0–255."""

from __future__ import annotations

from tasks.extract.families import first_order
from tasks.extract.families.first_order import FEATURES
from tasks.extract.region import Region
from tasks.imaging.framed_grey import content_of
from tasks.imaging.luminance import LUMA
from tasks.imaging.picture_frame import Pixels
from tasks.settings import NoSettings as Settings

__all__ = ["FEATURES", "Settings", "compute"]


def compute(original: Pixels, framed: Pixels, settings: Settings) -> dict[str, float]:
    """By the names of ``FEATURES``. Raises ``CaseError`` when the frame is empty."""
    del original, settings
    region = Region((framed @ LUMA)[None], content_of(framed)[None], (1.0, 1.0, 1.0), "grey")
    return first_order.compute(region, first_order.Settings())
