"""One size and one frame for pictures that come in many: cut to what they show, on black, square.

Where pictures were collected class by class, their size, border and background tell the class (in a public collection
of brain MR pictures they alone reach 0.57 accuracy in four classes). So the *content*, in practice the head, is
separated from the *background*: what can be reached from the picture's edge without leaving the edge's own colour. The
picture is cut to the content's box, padded to a square, resized, and black wherever there is no content.

What framing cannot hide: how sharp a picture was before it was resized, its JPEG blocks, and where a head was cut by
the picture's edge.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from pydantic import Field
from scipy import ndimage

from storage.errors import CaseError
from tasks.imaging.luminance import LUMA
from tasks.imaging.morphology import BoolArray, fill_slices, keep_large_components
from tasks.settings import StageSettings

Pixels = npt.NDArray[np.uint8]
FloatArray = npt.NDArray[np.float64]

_RECTANGLE = 0.97
_SEAM = 2


class Settings(StageSettings):
    """How a picture is framed.

    Attributes
    ----------
    size
        Side of the framed picture in pixels.
    search_size
        Content is looked for in a copy whose longer side has so many pixels at most.
    tolerance
        Grey levels (of 255) that background may differ from the edge's colour, at least.
    otsu_fraction
        Times Otsu's threshold of the difference from the edge's colour: haze around a bright head is background too.
    edge_share
        Share of the picture's edge that must have one colour to be background, and not tissue cut by the edge.
    frames
        How many frames in one another are taken off, e.g. a white line around black air.
    keep_fraction
        Content pieces smaller than this share of the largest (letters, scales) are background.
    closing
        Gaps in the outline up to this share of the content's longer side are bridged.
    """

    size: int = Field(default=224, ge=16, le=1024)
    search_size: int = Field(default=256, ge=64, le=1024)
    tolerance: float = Field(default=10.0, gt=0, le=127)
    otsu_fraction: float = Field(default=0.3, ge=0, le=1)
    edge_share: float = Field(default=0.15, gt=0, le=1)
    frames: int = Field(default=3, ge=1, le=8)
    keep_fraction: float = Field(default=0.1, gt=0, le=1)
    closing: float = Field(default=0.06, ge=0, le=0.2)


def frame_picture(pixels: Pixels, settings: Settings | None = None) -> Pixels:
    """Cut, pad, resize and mask one picture.

    Parameters
    ----------
    pixels
        uint8 RGB ``(height, width, 3)``.
    settings
        ``None``: the defaults.

    Returns
    -------
    numpy.ndarray
        uint8 RGB ``(size, size, 3)``: 0 where there is no content, at least 1 where there is. The content fills the
        longer side and lies in the middle of the other.

    Raises
    ------
    CaseError
        The picture has one colour all over.
    """
    from PIL import Image

    settings = settings or Settings()
    mask = _found(pixels, settings, without_rim=True)  # a bright border would leave a bright rim
    (top, bottom), (left, right) = _sides(mask)
    side = max(bottom - top, right - left)
    # An even rest is shared out equally: a mirrored picture gives a mirrored frame.
    rows, columns = (
        max(2, settings.size - 2 * round(settings.size * (1 - n / side) / 2)) for n in (bottom - top, right - left)
    )
    cut_mask = mask[top:bottom, left:right]
    # Black before it is resized: otherwise the background's colour would be mixed into the outline.
    cut = np.where(cut_mask[..., None], pixels[top:bottom, left:right], 0).astype(np.uint8)
    # A triangle as wide as the reduction: no aliasing, and no ringing at the outline as with wider kernels.
    smooth = Image.Resampling.BILINEAR
    inside = np.asarray(Image.fromarray(cut_mask.astype(np.uint8) * 255).resize((columns, rows), smooth)) >= 128
    values = np.asarray(Image.fromarray(cut).resize((columns, rows), smooth))
    framed = np.zeros((settings.size, settings.size, 3), dtype=np.uint8)
    y, x = (settings.size - rows) // 2, (settings.size - columns) // 2
    framed[y : y + rows, x : x + columns] = np.where(inside[..., None], np.maximum(values, 1), 0)
    return framed


def content_mask(pixels: Pixels, settings: Settings | None = None) -> BoolArray:
    """Where a picture shows anything but background.

    Parameters
    ----------
    pixels
        uint8 RGB ``(height, width, 3)``.
    settings
        ``None``: the defaults.

    Returns
    -------
    numpy.ndarray
        Boolean ``(height, width)``, without holes; all true where no part of the edge is background.

    Raises
    ------
    CaseError
        The picture has one colour all over.
    """
    return _found(pixels, settings or Settings(), without_rim=False)


def _found(pixels: Pixels, settings: Settings, *, without_rim: bool) -> BoolArray:
    """Content, without its outermost pixels of the smaller copy if asked: there content and background are mixed."""
    from PIL import Image

    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
        raise ValueError(f"expected uint8 pixels (height, width, 3); got {pixels.dtype} {pixels.shape}")
    height, width = pixels.shape[:2]
    scale = min(1.0, settings.search_size / max(height, width))
    small = (max(1, round(width * scale)), max(1, round(height * scale)))
    grey = np.asarray(Image.fromarray(pixels).resize(small, Image.Resampling.BOX), dtype=np.float64) @ LUMA
    found = _content(grey, settings)
    if without_rim and scale < 1.0:
        inner = ndimage.binary_erosion(found, border_value=True)
        found = inner if inner.any() else found
    whole = Image.fromarray(found.astype(np.uint8) * 255).resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(whole) >= 128


def _content(grey: FloatArray, settings: Settings) -> BoolArray:
    """Content of a small grey picture: frame after frame is taken off until the edge is no longer background."""
    content: BoolArray = np.ones(grey.shape, dtype=bool)
    top, bottom, left, right = 0, grey.shape[0], 0, grey.shape[1]
    for depth in range(settings.frames):
        background = _background(grey[top:bottom, left:right], settings)
        if background is None:
            break
        if background.all():
            if depth == 0:
                raise CaseError("the picture shows nothing: it has one colour all over")
            break  # a rectangle of one colour on a background is content, not another frame
        found = _solid(~background, settings)
        content[...] = False
        content[top:bottom, left:right] = found
        (a, b), (c, d) = _sides(found)
        if found[a:b, c:d].mean() < _RECTANGLE:
            break
        # It was a frame that came off. Where it touched the rest, the two colours are mixed.
        top, bottom, left, right = top + a + _SEAM, top + b - _SEAM, left + c + _SEAM, left + d - _SEAM
        if min(bottom - top, right - left) <= 2 * _SEAM:
            break
    return content


def _background(grey: FloatArray, settings: Settings) -> BoolArray | None:
    """What is joined to the edge and has its colour; ``None`` where the edge has no colour of its own."""
    from skimage.filters import threshold_otsu

    edge = np.concatenate([grey[0], grey[-1], grey[1:-1, 0], grey[1:-1, -1]])
    near = np.abs(edge[:, None] - edge[None, :]) <= settings.tolerance
    common = edge[near.mean(axis=1) >= settings.edge_share]
    if not common.size:
        return None
    # Where bright tissue is cut by the edge, the edge has two colours: the darker one is the air.
    level = float(np.median(edge[np.abs(edge - common.min()) <= settings.tolerance]))
    difference = np.abs(grey - level)
    threshold = settings.tolerance
    if difference.max() > threshold:
        threshold = max(threshold, settings.otsu_fraction * float(threshold_otsu(difference)))
    alike: npt.NDArray[np.int32] = np.zeros(grey.shape, dtype=np.int32)
    ndimage.label(difference <= threshold, output=alike)
    at_edge = np.unique(np.concatenate([alike[0], alike[-1], alike[:, 0], alike[:, -1]]))
    return np.asarray(np.isin(alike, at_edge[at_edge > 0]))


def _solid(mask: BoolArray, settings: Settings) -> BoolArray:
    """The large pieces of a mask, their outlines closed and their holes filled."""
    large = keep_large_components(mask[None], fraction=settings.keep_fraction)[0]
    radius = settings.closing * max(stop - start for start, stop in _sides(large)) / 2
    margin = int(radius) + 2  # so that nothing is filled between the content and the picture's edge
    dilated = ndimage.distance_transform_edt(~np.pad(large, margin)) <= radius
    closed = ndimage.distance_transform_edt(dilated) > radius
    return np.asarray(fill_slices(closed[None, margin:-margin, margin:-margin])[0])


def _sides(mask: BoolArray) -> tuple[tuple[int, int], tuple[int, int]]:
    """First and one past the last row, and column, with a true value."""
    rows, columns = np.nonzero(mask)
    return (int(rows.min()), int(rows.max()) + 1), (int(columns.min()), int(columns.max()) + 1)
