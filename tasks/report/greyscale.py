"""From intensities to grey pictures: windows, averaging down, and bytes that fit into a page."""

from __future__ import annotations

import base64
import io
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from storage.volume import Volume
from tasks.report.drawn import Layer
from tasks.report.settings import Window

FloatArray = npt.NDArray[np.floating[Any]]
STEPS = ((1.0, 90, 16_000), (1.0, 80, 0), (0.85, 75, 0), (0.7, 70, 0), (0.55, 65, 0))
"""How pictures get lighter: share of the maximum size, JPEG quality, and bytes up to which a picture stays a PNG."""


@dataclass(frozen=True)
class Inks:
    """How intensities become image bytes.

    Attributes
    ----------
    windows
        Each with the intensities shown black and white.
    maximum_pixels
        Most rows and columns.
    quality
        Of JPEG, 1–95.
    lossless_bytes
        A PNG up to this size is kept; 0 makes every picture a JPEG.
    """

    windows: tuple[tuple[Window, float, float], ...]
    maximum_pixels: int
    quality: int
    lossless_bytes: int

    def layers(self, pixels: FloatArray) -> tuple[Layer, ...]:
        """The picture in every window."""
        small = shrink(pixels, self.maximum_pixels)
        return tuple(
            Layer(window=window.name, uri=self._data_uri(grey(small, low, high, inverted=window.inverted)))
            for window, low, high in self.windows
        )

    def _data_uri(self, pixels: npt.NDArray[np.uint8]) -> str:
        """PNG where that is small, else JPEG: noise does not compress without loss."""
        picture = Image.fromarray(pixels)
        data, kind = b"", "png"
        if self.lossless_bytes:
            data = _encoded(picture, "PNG", optimize=True)
        if not 0 < len(data) <= self.lossless_bytes:
            data, kind = _encoded(picture, "JPEG", quality=self.quality, optimize=True), "jpeg"
        return f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"


def limits(volume: Volume, windows: tuple[Window, ...]) -> list[tuple[float, float]]:
    """Intensities ``(low, high)`` of each window; percentiles come from at most about a million voxels of the image."""
    step = max(1, math.ceil((volume.array.size / 1e6) ** (1 / 3)))
    sample = volume.array[::step, ::step, ::step]
    found = []
    for window in windows:
        low, high = (window.low, window.high)
        if window.percentile:
            low, high = (float(value) for value in np.nanpercentile(sample, [window.low, window.high]))
        found.append((low, high if high > low else low + 1.0))
    return found


def grey(pixels: FloatArray, low: float, high: float, *, inverted: bool = False) -> npt.NDArray[np.uint8]:
    """Intensities as grey values 0–255, linear between ``low`` and ``high``; what is not a number counts as ``low``."""
    scaled = np.clip((np.nan_to_num(pixels, nan=low) - low) / (high - low), 0.0, 1.0)
    shade: npt.NDArray[np.uint8] = np.rint(255 * (1 - scaled if inverted else scaled)).astype(np.uint8)
    return shade


def shrink(pixels: FloatArray, maximum: int) -> FloatArray:
    """Average down to at most ``maximum`` rows and columns; smaller pictures stay as they are."""
    rows, columns = pixels.shape
    if max(rows, columns) <= maximum:
        return pixels
    picture = Image.fromarray(np.ascontiguousarray(pixels, dtype=np.float32))
    return np.asarray(picture.resize((min(columns, maximum), min(rows, maximum)), Image.Resampling.BOX))


def _encoded(picture: Image.Image, kind: str, **options: int) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()
