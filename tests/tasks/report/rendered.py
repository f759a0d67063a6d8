"""One plane as a PNG with its outlines, letters and scale bar burned in: for places that show pictures but no page."""

from __future__ import annotations

import io
from collections.abc import Mapping

from PIL import Image, ImageDraw, ImageFont

from tasks.report.greyscale import grey
from tasks.report.overlay import BoolArray, Plane, outlines, scale_bar_mm

FINDING_COLOUR = (240, 118, 27)
LESION_COLOUR = (23, 163, 221)
SMOOTHING = 2
"""Drawn this many times larger and averaged down, so that outlines have soft edges."""


def render_plane(plane: Plane, *, low: float, high: float, inverted: bool = False, width_px: int = 512) -> bytes:
    """Draw a plane.

    Parameters
    ----------
    plane
        What to draw.
    low, high
        Intensities shown black and white; the reverse with ``inverted``.
    inverted
        Low is white.
    width_px
        Width of the picture. Its height follows from the plane's size in mm, so that a cube is a square.

    Returns
    -------
    bytes
        A PNG, RGB; equal input gives equal bytes.

    Raises
    ------
    ValueError
        ``width_px`` is below 16.
    """
    if width_px < 16:
        raise ValueError(f"width_px must be at least 16; got {width_px}")
    width_mm, height_mm = plane.size_mm
    size = (width_px, max(1, round(width_px * height_mm / width_mm)))
    large = (size[0] * SMOOTHING, size[1] * SMOOTHING)
    picture = Image.fromarray(grey(plane.pixels, low, high, inverted=inverted))
    picture = picture.resize(large, Image.Resampling.BICUBIC).convert("RGB")
    draw = ImageDraw.Draw(picture)
    px_per_mm = large[0] / width_mm
    _outline(draw, plane.findings, plane.pixel_mm, px_per_mm, FINDING_COLOUR)
    _outline(draw, plane.lesions, plane.pixel_mm, px_per_mm, LESION_COLOUR)
    _letters(draw, plane, large)
    _scale_bar(draw, scale_bar_mm(width_mm), px_per_mm, large)
    buffer = io.BytesIO()
    picture.resize(size, Image.Resampling.BOX).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _outline(
    draw: ImageDraw.ImageDraw,
    masks: Mapping[int, BoolArray],
    pixel_mm: tuple[float, float],
    px_per_mm: float,
    colour: tuple[int, int, int],
) -> None:
    for mask in masks.values():
        for ring in outlines(mask, pixel_mm):
            corners = [(float(x) * px_per_mm - 0.5, float(y) * px_per_mm - 0.5) for x, y in ring]
            draw.line(corners, fill=colour, width=2 * SMOOTHING, joint="curve")


def _letters(draw: ImageDraw.ImageDraw, plane: Plane, size: tuple[int, int]) -> None:
    width, height = size
    edge = 4 * SMOOTHING
    font = ImageFont.load_default(max(10, width // 28))
    places = (
        (plane.top, (width // 2, edge), "ma"),
        (plane.bottom, (width // 2, height - edge), "md"),
        (plane.left, (edge, height // 2), "lm"),
        (plane.right, (width - edge, height // 2), "rm"),
    )
    for text, place, anchor in places:
        draw.text(place, text, "white", font, anchor, stroke_width=SMOOTHING, stroke_fill="black")


def _scale_bar(draw: ImageDraw.ImageDraw, length_mm: float, px_per_mm: float, size: tuple[int, int]) -> None:
    left, bottom = 6 * SMOOTHING, size[1] - 6 * SMOOTHING
    right = left + length_mm * px_per_mm
    for colour, width in (("black", 4 * SMOOTHING), ("white", 2 * SMOOTHING)):
        draw.line([(left, bottom), (right, bottom)], fill=colour, width=width)
    font = ImageFont.load_default(max(10, size[0] // 36))
    place = ((left + right) / 2, bottom - 3 * SMOOTHING)
    draw.text(place, f"{length_mm:.3g} mm", "white", font, "md", stroke_width=SMOOTHING, stroke_fill="black")
