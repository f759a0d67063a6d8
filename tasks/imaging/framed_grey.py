"""The grey values of a framed picture: where its content is, and its brightness relative to itself.

A *framed* picture comes from `tasks.imaging.picture_frame.frame_picture`: square, 0 where there is no content and at
least 1 where there is. Grey is luma (ITU-R BT.601-7).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from storage.errors import CaseError
from tasks.imaging.luminance import LUMA
from tasks.imaging.morphology import BoolArray
from tasks.imaging.picture_frame import Pixels

Floats = npt.NDArray[np.float32]

RANGE_PERCENT = (1.0, 99.0)
"""Percentiles of the content that become 0 and 1: a few pixels of fat or of writing do not set the scale."""


def content_of(framed: Pixels) -> BoolArray:
    """Where a framed picture shows something, ``(side, side)``; ``CaseError`` when it shows nothing."""
    content = np.asarray((framed > 0).any(axis=-1), dtype=bool)
    if not content.any():
        raise CaseError("nothing is left inside the picture's frame")
    return content


def standardized_grey(framed: Pixels, side: int) -> tuple[Floats, BoolArray]:
    """A framed picture in one size, its content's grey values brought to 0–1.

    Parameters
    ----------
    framed
        uint8 RGB ``(n, n, 3)``.
    side
        Pixels of the result's side.

    Returns
    -------
    tuple
        Grey values float32 ``(side, side)``, 0 and 1 at the percentiles `RANGE_PERCENT` of the content, 0 outside and
        where all grey values are the same; and where the content is.

    Raises
    ------
    CaseError
        The picture shows nothing.
    """
    from PIL import Image

    content, grey = content_of(framed), framed @ np.asarray(LUMA)
    low, high = np.percentile(grey[content], RANGE_PERCENT)
    values = np.clip((grey - low) / (high - low), 0, 1) if high > low else np.zeros_like(grey)
    maps = (np.where(content, values, 0).astype(np.float32), content.astype(np.float32))
    resized, inside = (np.asarray(Image.fromarray(one).resize((side, side), Image.Resampling.BILINEAR)) for one in maps)
    return resized, np.asarray(inside >= 0.5)
