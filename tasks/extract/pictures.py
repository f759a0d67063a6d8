"""Hand-made features of a picture, as named columns ``family.feature`` of a table with one row per picture.

- ``size_and_border``: how the picture was saved: its size, and the outermost pixels of the picture as it came. Nothing
  further inside is looked at. A classifier that does well on it shows what a collection gives away.
- ``first_order``: grey values of the content of the framed picture, wherever they are.
- ``hog``: histograms of oriented gradients of the framed picture (Dalal & Triggs 2005, doi:10.1109/CVPR.2005.177).
- ``colour``: colours of the content of the framed picture (:mod:`tasks.extract.colour`).

Grey is luma (ITU-R BT.601-7), 0–255. A *framed* picture comes from `tasks.imaging.picture_frame.frame_picture`: square,
0 where there is no content and at least 1 where there is.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from storage.errors import CaseError
from tasks.extract.colour import colour_features, colour_info
from tasks.extract.families import first_order as first_order_family
from tasks.extract.feature import FeatureInfo
from tasks.extract.region import Region
from tasks.imaging.luminance import LUMA
from tasks.imaging.morphology import BoolArray
from tasks.imaging.picture_frame import Pixels

FloatArray = npt.NDArray[np.float64]

BORDER = 4
"""Width of the outermost strip of each side, and side of a corner, in pixels."""
HOG_SIDE = 128
HOG_CELL = 16
"""Pixels: 8 × 8 cells on a head keep where a gradient is to about a centimetre."""
HOG_BLOCK = 2
HOG_ORIENTATIONS = 9
_HOG_COLUMNS = (HOG_SIDE // HOG_CELL - HOG_BLOCK + 1) ** 2 * HOG_BLOCK**2 * HOG_ORIENTATIONS

SIDES = ("top", "bottom", "left", "right")
CORNERS = ("top_left", "top_right", "bottom_left", "bottom_right")
SIZE_AND_BORDER = {
    "width": FeatureInfo(None, "pixel", "Width of the picture."),
    "height": FeatureInfo(None, "pixel", "Height of the picture."),
    "aspect": FeatureInfo(None, "1", "Width over height."),
    **{
        f"{side}_mean": FeatureInfo(None, "intensity", f"Mean grey of the outermost {BORDER} pixels.") for side in SIDES
    },
    **{f"{side}_sd": FeatureInfo(None, "intensity", "Standard deviation of the same.") for side in SIDES},
    **{one: FeatureInfo(None, "intensity", f"Mean grey of {BORDER} × {BORDER} pixels.") for one in CORNERS},
}


def feature_info() -> dict[str, FeatureInfo]:
    """What each column of `picture_features` is, in its order."""
    hog = {
        f"{number:04d}": FeatureInfo(None, "1", f"Gradients at {direction * 180 // HOG_ORIENTATIONS}°, normalized.")
        for number, direction in enumerate(np.arange(_HOG_COLUMNS) % HOG_ORIENTATIONS)
    }
    families = {
        "size_and_border": SIZE_AND_BORDER,
        "first_order": first_order_family.FEATURES,
        "hog": hog,
        "colour": colour_info(),
    }
    return {f"{family}.{name}": info for family, infos in families.items() for name, info in infos.items()}


def picture_features(original: Pixels, framed: Pixels) -> dict[str, float]:
    """All hand-made features of one picture.

    Parameters
    ----------
    original
        uint8 RGB ``(height, width, 3)``, as decoded.
    framed
        uint8 RGB ``(side, side, 3)``, the same picture framed.

    Returns
    -------
    dict
        By column name, in the order of `feature_info`; NaN where a value is not defined.

    Raises
    ------
    CaseError
        Nothing is left inside the picture's frame.
    """
    families = {
        "size_and_border": size_and_border(original),
        "first_order": first_order(framed),
        "hog": hog(framed),
        "colour": colour_features(framed, _content(framed)),
    }
    return {f"{family}.{name}": value for family, values in families.items() for name, value in values.items()}


def size_and_border(pixels: Pixels) -> dict[str, float]:
    """How a picture uint8 RGB ``(height, width, 3)`` was saved, by the names of ``SIZE_AND_BORDER``."""
    grey = pixels @ LUMA
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
    return dict(zip(SIZE_AND_BORDER, (float(value) for value in values), strict=True))


def first_order(framed: Pixels) -> dict[str, float]:
    """The 18 intensity statistics of `tasks.extract.families.first_order` over the content of a framed picture.

    Raises ``CaseError`` when the frame is empty.
    """
    mask = _content(framed)
    region = Region((framed @ LUMA)[None], mask[None], (1.0, 1.0, 1.0), "grey")
    return first_order_family.compute(region, first_order_family.Settings())


def _content(framed: Pixels) -> BoolArray:
    """Where a framed picture shows something; ``CaseError`` when it shows nothing."""
    mask = np.asarray((framed > 0).any(axis=-1), dtype=bool)
    if not mask.any():
        raise CaseError("nothing is left inside the picture's frame")
    return mask


def hog(framed: Pixels) -> dict[str, float]:
    """Histograms of 9 orientations in 8 × 8 cells of a framed picture, normalized in blocks of 2 × 2 cells (L2-Hys)."""
    from PIL import Image
    from skimage.feature import hog as histograms

    small = Image.fromarray(framed).resize((HOG_SIDE, HOG_SIDE), Image.Resampling.BILINEAR)
    values = histograms(
        np.asarray(small) @ LUMA,
        orientations=HOG_ORIENTATIONS,
        pixels_per_cell=(HOG_CELL, HOG_CELL),
        cells_per_block=(HOG_BLOCK, HOG_BLOCK),
        block_norm="L2-Hys",
    )
    return {f"{number:04d}": float(value) for number, value in enumerate(values)}
